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
# # Quickstart: how much of a RoPE score does distance alone decide?
#
# RoPE turns pair $d$ of a query at position $m$ and of a key at position $n$ by $m\omega_d$ and $n\omega_d$. If
# the products $A_d$ and $B_d$ of query and key (eq 4 of arXiv 2509.12635v1) have means $\mu_d$ and $\nu_d$, the
# expected score at distance $\lambda = m - n$ is
#
# $$\mathrm{E}\,s_\lambda = \frac{1}{\sqrt D}\sum_d \mu_d\cos\lambda\omega_d + \nu_d\sin\lambda\omega_d,$$
#
# whatever the tokens say. This notebook predicts that curve and measures it in a head.

# %%
from pathlib import Path

import numpy as np
import torch

from analysis import measure, open_model, plot
from analysis.heads.mean_score import mean_score
from analysis.theory import frequencies, model_config
from analysis.theory.rope import expected_score_curve
from figures.catalogue import read_arrays
from figures.widgets import bias_explorer, bias_plot, describe_figures, head_explorer, head_plot

describe_figures()  # pictures carry their descriptions

# %% [markdown]
# ## Predict: one $\mu_0$ and one $\nu_0$ for every pair
#
# v1 assumes a single $\mu_0$, $\nu_0$ (Assumption 2.1). Then the curve is $\mu_0 C_D + \nu_0 S_D$.

# The picture shows the exact sum, which wobbles, and its smooth limit for many pairs: both fall with the logarithm of
# distance until distance reaches the base.

# %%
figure = bias_plot(base=1e4, head_dim=128, length=65_536)

# %%
bias_explorer()

# %% [markdown]
# ## Any encoding of the family, from arguments or from a model's `config.json`

# %%
yarn = frequencies.yarn(5e5, 128, factor=8.0, trained_length=8192)
config = {"model_type": "llama", "hidden_size": 576, "num_attention_heads": 9, "rope_theta": 1e5}
configured = model_config.from_config(config)
print(f"YaRN: slowest pair {yarn.omega[-1]:.3g} rad/token, attention factor {yarn.attention_factor:.3f}")
print(
    f"config: {configured.kind}, {len(configured.omega)} pairs, slowest {configured.omega[-1]:.3g} rad/token"
)

# %% [markdown]
# ## Measure: the mean score at every distance
#
# Queries and keys with a mean, and noise around it. The measurement takes $L\log L$ operations, and no $L\times L$
# matrix is ever formed.

# %%
length, head_dim = 4096, 64
generator = torch.Generator().manual_seed(0)
mean_q, mean_k = torch.randn(2, head_dim, generator=generator)
q = mean_q + torch.randn(length, head_dim, generator=generator)
k = mean_k + torch.randn(length, head_dim, generator=generator)
rope = frequencies.plain(1e4, head_dim)
measured = mean_score(q, k, rope, scale=head_dim**-0.5)

first, second = rope.pairs.T
mu = (mean_q[first] * mean_k[first] + mean_q[second] * mean_k[second]).double().numpy()
nu = (mean_q[first] * mean_k[second] - mean_q[second] * mean_k[first]).double().numpy()
predicted = expected_score_curve(length, rope.omega, mu, nu, scale=head_dim**-0.5)
for distance in (0, 1, 10, 100, 1000):
    print(
        f"distance {distance:5d}: measured {float(measured[distance]):7.3f}, predicted {predicted[distance]:7.3f}"
    )
print(f"rms difference over distances below 1000: {np.std(measured[:1000].numpy() - predicted[:1000]):.3f}")

# %% [markdown]
# ## Open a checkpoint and measure it
#
# A model of `tapa train` that is committed, of four layers: opened, and measured on a text in seconds. A Hugging Face
# folder, a `.gguf` file or a model in memory goes the same way. The map has a number for each head: how much of the
# variance of its scores lies between distances.

# %%
model = open_model("../figures/trained/checkpoints/rope.safetensors")
documents = model.documents([Path("../LICENSE")], lambda *told: None)
chosen = model.windows(documents, model.default_window, 16, seed=0)
mine = measure(model, chosen.tokens, seed=0)
plot(mine, quantity="distance_share")

# %% [markdown]
# A head of it, by layer and head:

# %%
plot(mine, "2.1")

# %% [markdown]
# ## A real checkpoint
#
# `make figures` fetches SmolLM2-135M-Instruct by its hash and measures every head, and the record opens with
# xarray. For a checkpoint of your own, `tapa measure my-llama/ --text book.txt --out my.nc` writes a record of the
# same kind, and `plot(open_record("my.nc"), "3.4").savefig("head.png")` draws a head of it.

# %%
record = read_arrays("smollm2")
plot(record, quantity="distance_share")

# %% [markdown]
# The median head: the measured mean score (grey) lies on the part that the means of queries and keys decide
# (orange); in the median head of this model they decide 99.4 % of it
# ([bias-from-means](../figures/FINDINGS.md#bias-from-means)).

# %%
layer, head = (
    int(values[list(record.telling_why.values).index("median head")])
    for values in (record.telling_layer.values, record.telling_head.values)
)
plot(record, f"{layer}.{head}")

# %%
share = float(record.distance_share.sel(first_token="dropped", layer=layer, head=head))
print(f"layer {layer}, head {head}: {share:.0%} of the variance of its scores lies between distances")

# %% [markdown]
# Any other head, with sliders; the picture is the head at which they begin.

# %%
figure = head_plot(record, 0, 0)

# %%
head_explorer(record)
