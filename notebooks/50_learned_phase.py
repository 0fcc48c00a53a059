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
# # What a trained phase does
#
# TAPA's score is an amplitude times a cosine (eq 12 of arXiv 2509.12635v1):
#
# $$\frac{q_A\cdot k_A}{\sqrt{n_A}}\cos\!\Big(2\pi\,|m-n|^{\alpha}\,\varphi\Big),\qquad
# \varphi=\frac{q_P\cdot k_P}{\sqrt n}.$$
#
# $\varphi$ belongs to a pair of tokens, $|m-n|^{\alpha}$ to their distance: with $\alpha = 0.1$ a phase grows by
# little more than half between distances 1 and 100. Here one small model (800 thousand parameters, trained on
# windows of 128 bytes, one seed) shows what training makes of it. How much of its loss hangs on the phase is a
# finding, [phase-used](../figures/FINDINGS.md#phase-used). Everything that is drawn comes from records of `make
# figures`; only the models themselves are committed.

# %%
import matplotlib as mpl

from analysis.studies import phase_summary
from figures import (
    fig_20_phase_heads,
    fig_21_phase_ablations,
    fig_22_phase_tokens,
    fig_23_phase_decay,
    fig_24_phase_dynamics,
    fig_25_near_far_trained,
)
from figures.catalogue import read_arrays, tapa_checkpoints
from figures.style import RC
from figures.widgets import pair_explorer, pair_plot

MODEL = "tapa"
records = {name: read_arrays(f"{name}-{MODEL}") for name in ("phase", "phase_short")}
records |= {name: read_arrays(name) for name in ("phase_dynamics", "trained_gaps")}
numbers = phase_summary.summarise_checkpoint(records["phase"], records["phase_short"])
print("models with a phase:", ", ".join(tapa_checkpoints()))

# %% [markdown]
# ## Two tokens and their phase
#
# The text is from a play that no model was trained on. A byte is a token. Left: the cosine that this pair would
# have at any distance, and where it stands. Right: the phase of the query with every token before it, and what
# attention comes of it.

# %%
TEXT = """To be, or not to be: that is the question:
Whether 'tis nobler in the mind to suffer"""
figure = pair_plot(TEXT, query=18, key=4, layer=0, head=0)

# %%
pair_explorer(TEXT)

# %% [markdown]
# ## 1 All heads
#
# Heads that lose most without their cosine come first. The dotted line is the trained length; beyond it nothing was
# learned.

# %%
with mpl.rc_context(RC):
    figure = fig_20_phase_heads.draw(records)
for name, head in numbers["heads"].items():
    within, long = head["within"], head["long"]
    print(f"head {name}: phi {within['phase']['mean']:+.3f} with sd {within['phase']['sd']:.3f} turns; "
          f"a Gaussian explains {within['gaussian_share']:6.2f} of its curve within the trained length, "
          f"{long['gaussian_share']:6.2f} of the long one")  # fmt: skip

# %% [markdown]
# ## 2 The phase's part in the loss
#
# The loss when a part of the score is taken away, on held-out text, without any training for it: a model may well do
# better if it is trained without.

# %%
with mpl.rc_context(RC):
    figure = fig_21_phase_ablations.draw(records)
for kind, (mean, low, high) in numbers["change"].items():
    print(f"{kind:20s} {mean:+.3f} nats a token ({low:+.3f} to {high:+.3f})")

# %% [markdown]
# ## 3 What the phase says of tokens
#
# $\varphi$ of pairs with a property less that of others as far apart, and what a linear probe makes of phase vectors
# and of amplitude vectors. A dot is a shift of four standard errors or more.

# %%
with mpl.rc_context(RC):
    figure = fig_22_phase_tokens.draw(records)

# %% [markdown]
# ## 4 Theorems 3.2 and 3.3
#
# The bound of theorem 3.2 falls with slope $-\alpha n$. Theorem 3.3 says that the variance stays above half of the
# mean squared amplitude: above 1 in panel c, in the limit.

# %%
with mpl.rc_context(RC):
    figure = fig_23_phase_decay.draw(records)
print(f"slope of the bound: {numbers['exponent_bound']:g}")
for name, head in numbers["heads"].items():
    within = head["within"]
    slopes = [value for value in within["slope_by_octave"] if value is not None]
    print(f"head {name}: within the trained length slopes {min(slopes):+.2f} to {max(slopes):+.2f}, "
          f"variance at least {within['variance_kept']['least']:.2f} of what the limit promises")  # fmt: skip

# %% [markdown]
# ## 5 From initialisation on

# %%
with mpl.rc_context(RC):
    figure = fig_24_phase_dynamics.draw(records)

# %% [markdown]
# ## 6 The paper's figure 1 on trained heads
#
# Near less far scores of pairs of one window. If *positions* are drawn from the intervals, near and far pairs have
# the same distances: what is left is what a token's place in the window does to its queries and keys.

# %%
with mpl.rc_context(RC):
    figure = fig_25_near_far_trained.draw(records)
for name, readings in phase_summary.gaps(records["trained_gaps"]).items():
    for reach, found in readings["distances"].items():
        ratios = found["mean_over_sd"]
        near, far, heads = (found[key] for key in ("near_above", "far_above", "heads"))
        print(f"{name:10s} reach {reach:>3}: near above far in {near} of {heads} heads, far above near in {far}; "
              f"mean over sd {min(ratios):+.2f} to {max(ratios):+.2f}")  # fmt: skip
