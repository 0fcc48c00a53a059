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
# windows of 128 bytes) shows what training makes of it, in windows as long as those it was trained on; sections 7 and 8
# have other seeds beside it, and controls that take distance, or learning, out of the phase. How much of its loss hangs
# on the phase is a finding, [phase-used](../figures/FINDINGS.md#phase-used), over seeds
# [phase-used-seeds](../figures/FINDINGS.md#phase-used-seeds). Everything that is drawn comes from records: of `make
# figures`, or, of many trainings, of `tapa phase-seeds`, whose record is committed.

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
    fig_31_phase_controls,
    fig_32_phase_targets,
)
from figures.catalogue import read_any, read_arrays, tapa_checkpoints
from figures.style import RC
from figures.widgets import describe_figures, pair_explorer, pair_plot

describe_figures()  # pictures carry their descriptions

MODEL = "tapa"
records = {name: read_arrays(f"{name}-{MODEL}") for name in ("phase", "phase_short")}
records |= {name: read_arrays(name) for name in ("phase_dynamics", "trained_gaps")}
numbers = phase_summary.summarise_checkpoint(records["phase"], records["phase_short"])
seeds = read_any("phase_seeds")
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
# Heads that lose most without their cosine come first. In colour windows as long as the trained length (dotted), in
# grey far longer ones: there nothing was learned.

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
# The bound of theorem 3.2, which is of the quadratic phase, falls with slope $-\alpha n$. Theorem 3.3 says that the
# variance stays above half of the mean squared amplitude: above 1 in panel c, in the limit. Full colours are windows as
# long as trained, pale ones long.

# %%
with mpl.rc_context(RC):
    figure = fig_23_phase_decay.draw(records)
print("slope of the bound:", numbers["exponent_bound"])
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
# Near less far scores of pairs of one window. NoPE has no distance in its score and shows near above far all the
# same: hidden states drift along a text, and near tokens are more alike. So each pair is scored twice, at its own
# distance and at distance 1; what the second leaves of the gap is drift, and the rest is due to distance (panel d).
# Heads are counted by a t-test over documents, all heads of a model at once.

# %%
with mpl.rc_context(RC):
    figure = fig_25_near_far_trained.draw(records)
for name, readings in phase_summary.gaps(records["trained_gaps"]).items():
    for reach, found in readings["distances"].items():
        near, far, heads = (found[key] for key in ("near_sure", "far_sure", "heads"))
        whole, due = (sum(found[f"{part}_over_sd"]) / heads for part in ("mean", "due"))
        print(f"{name:10s} reach {reach:>3}: near above far in {near} of {heads} heads, far above near in {far}; "
              f"mean over sd {whole:+.2f}, of that due to distance {due:+.2f}")  # fmt: skip

# %% [markdown]
# ## 7 Is it position, or a more expressive NoPE?
#
# Two controls are trained as TAPA is. With $\alpha = 0$ the phase is learned and knows no distance: a NoPE with one
# more nonlinearity. Frozen, the weights that make the phase keep their random initial values, and distance is in it
# all the same; what feeds these weights is still learned. See
# [position-tapa-alpha0](../figures/FINDINGS.md#position-tapa-alpha0) and
# [position-tapa-frozen](../figures/FINDINGS.md#position-tapa-frozen).

# %%
with mpl.rc_context(RC):
    figure = fig_31_phase_controls.draw({"phase_seeds": seeds})
for name, found in seeds["summary"]["over_seeds"].items():
    bits = ", ".join(f"{found[f'bits/{n}']['of'][0]:.2f} at {n} L" for n in (1, 2, 4, 8))
    held = (
        f"; cosine held at its mean: {found['change/mean cosine']['of'][0]:+.3f} nats"
        if "moved" in found
        else ""
    )
    count = len(found["bits/1"]["values"])
    print(f"{seeds['summary']['labels'][name]:20s} seeds: {count}; bits a byte {bits}{held}")

# %% [markdown]
# ## 8 What the phase is for
#
# Each head's attention from the same queries and keys, with its phase and with its mean cosine in its place, which
# keeps the strength of the score and leaves neither tokens nor distance in the cosine. The thresholds of the rule
# were set before any model was measured. What it raises: [phase-previous](../figures/FINDINGS.md#phase-previous); a
# phase that is not learned does so too ([phase-previous-frozen](../figures/FINDINGS.md#phase-previous-frozen)). Of
# sinks and induction nothing is known
# ([phase-no-sink-no-induction](../figures/FINDINGS.md#phase-no-sink-no-induction)).

# %%
with mpl.rc_context(RC):
    figure = fig_32_phase_targets.draw({"phase_seeds": seeds})
for name, row in seeds["rows"].items():
    for place, head in row["targets"]["heads"].items():
        if head.get("raises") or head.get("lowers"):
            raised, lowered = (", ".join(head[verb]) or "-" for verb in ("raises", "lowers"))
            print(f"{name:15s} head {place}: raises {raised}; lowers {lowered}; moves {head['moved'][0]:.2f}")

# %% [markdown]
# ## 9 TAPA and RoPE on one coordinate
#
# A pair of tokens can be put at any distance, under any encoding. The variance of its score over pairs and distances
# splits exactly into what every pair gets alike (distance), what a pair has at every distance (pair), and the rest
# (interaction). How a TAPA head differs from a RoPE head is a finding,
# [tapa-head-and-rope-head](../figures/FINDINGS.md#tapa-head-and-rope-head).

# %%
from figures import fig_29_score_variance

with mpl.rc_context(RC):
    figure = fig_29_score_variance.draw({"score_variance": read_arrays("score_variance")})
