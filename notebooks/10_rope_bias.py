# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # RoPE's distance bias in a real model
#
# The record below holds the mean score at every distance for each head of SmolLM2-135M-Instruct (Q4_1 weights), and
# the part of it that the means of queries and keys alone decide. `make figures` measures it. Windows are of a few
# public-domain texts, and the errors are over windows of these texts.

# %%
from figures import fig_04_assumption_2_1
from figures.catalogue import read_arrays
from figures.style import RC
from figures.widgets import bias_explorer, bias_plot, describe_figures, head_explorer, head_plot

describe_figures()  # pictures carry their descriptions

data = read_arrays("smollm2")
data[["measured", "bias", "paper", "shuffled"]]

# %% [markdown]
# ## What the formula says
#
# For one $\mu_0 > 0$ and $\nu_0 = 0$ the expected score falls like the logarithm of distance, until distance reaches
# the base. The limit of many pairs is a cosine integral; the exact sum wobbles around it.

# %%
figure = bias_plot(base=1e5, head_dim=64, length=8192)

# %%
bias_explorer()

# %% [markdown]
# ## What the heads do
#
# Six heads, chosen by rule from the record. Grey: measured, with two standard errors over windows. Orange: the bias,
# made from the mean query and mean key of each window. Dotted: the control with the order of the tokens shuffled.
# Dashed blue: v1's formula, with one $\mu_0$ and one $\nu_0$ in place of a $\mu_d$ and a $\nu_d$ per pair. That the
# first three coincide is the message: the means decide the curve.

# %%
for layer, head, why in zip(
    data.telling_layer.values, data.telling_head.values, data.telling_why.values, strict=True
):
    figure = head_plot(data, int(layer), int(head))
    figure.axes[0].set_title(f"layer {layer}, head {head}: {why}", loc="left")

# %%
head_explorer(data)

# %% [markdown]
# ## How many heads
#
# The share of the variance of all scores that lies between distances
# ([bias-share](../figures/FINDINGS.md#bias-share)), and $R^2$ of the mean curve under the bias
# ([bias-from-means](../figures/FINDINGS.md#bias-from-means)) and under the formula with plug-in means
# ([plug-in-formula](../figures/FINDINGS.md#plug-in-formula)): quartiles over heads, first token dropped; $R^2$ weights
# each octave of distance alike. With fitted means and the level left free the formula does far better, and so does a
# logarithm ([formula-fitted](../figures/FINDINGS.md#formula-fitted)).

# %%
shares = data.sel(first_token="dropped")
quartiles = [0.25, 0.5, 0.75]
for name in ("distance_share", "r2_bias", "r2_paper"):
    values = shares[name] if name == "distance_share" else shares[name].sel(weighting="log")
    print(f"{name:15s}", *(f"{float(v):6.2f}" for v in values.quantile(quartiles)))

# %% [markdown]
# ## Assumption 2.1
#
# One $\mu_0$ for every pair would put every point of the left panel at sd 0.

# %%
import matplotlib as mpl

with mpl.rc_context(RC):
    figure = fig_04_assumption_2_1.draw({"smollm2": data})
