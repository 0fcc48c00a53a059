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
# # The claims, one by one
#
# What arXiv 2509.12635v1 (Wang et al. 2025) asserts, in its order, each statement with its verdict, its evidence
# and, where one is written, its proof. Nothing of this is typed here: statements, verdicts, numbers and proofs come
# from the record that `tapa figures claims` makes by checking the ledger. `tapa verify --explain LABEL` shows all of
# a claim, and `proofs/STATUS.md` lists them all. The cells' code is folded away;
# it only says which claims come next.
#
# **Contents.** Section 2.1, theorem 2.1, theorem 2.2, theorem 2.3, section 3 (TAPA, theorems 3.2 and 3.3), section 4,
# appendix A, appendices C, E and F (the two lemmas), figure 1, every claim and what rests on what.
#
# **Verdicts.** *Proved*: a symbolic identity, or a written argument whose computations are checked by symbols.
# *Certified*: ball arithmetic on the whole of the stated domain. *Refuted*: an explicit counterexample that meets every
# hypothesis. *Unknown*: undecided, or resting on something refuted.

# %% jupyter={"source_hidden": true}
from figures import fig_05_claims
from figures.catalogue import read_any
from figures.claims_tables import Claims
from figures.style import RC

claims = Claims.read()
claims.notation()

# %% [markdown]
# ## Section 2.1: the score, and what is assumed of the tokens
#
# v1 writes the angle in radians in eq 2 and in turns in eq 3.

# %% jupyter={"source_hidden": true}
claims.show("not-2.1", "eq-2", "eq-3", "eq-4")

# %% [markdown]
# Assumption 2.1 can be met, by every $(\mu_0,\nu_0)$, $\mu_0=0$ included.

# %% jupyter={"source_hidden": true}
claims.show("asm-2.1", "eq-5")

# %% [markdown]
# ## Theorem 2.1: the values that the bias comes back to
#
# The printed proof goes by equidistribution of $(\lambda\theta_1,\dots,\lambda\theta_{D/2-1})$ mod 1, which
# needs $1$ among the independent numbers; $D=4$, $\theta_0=1/4$ shows it. Its phase and its target angle
# have slips too.

# %% jupyter={"source_hidden": true}
claims.show("eq-21", "eq-21.beta", "thm-2.1.weyl", "eq-22", "eq-23")

# %% [markdown]
# The conclusion holds all the same: it rests on Kronecker's theorem instead, and under the printed hypothesis there
# is at most one integer relation.

# %% jupyter={"source_hidden": true}
claims.show("thm-2.1.orbit", "thm-2.1.rank", "eq-6", "rem-B")

# %% [markdown]
# ### Theorem 2.1, proved, and its sharp form

# %% jupyter={"source_hidden": true}
claims.show("thm-2.1", "thm-2.1.sharp", "thm-2.1.radians")

# %% [markdown]
# **In practice.** The degree of $\theta_0^{2/D}$, by factoring over $\mathbb Q$: base $10^4$ is a
# fourth power, so the hypothesis fails at every deployed $D$, and the values that the bias can reach are
# fewer.

# %% jupyter={"source_hidden": true}
claims.practice(
    "thm-2.1",
    (
        "base",
        "head_dim",
        "degree of theta_0^(2/D)",
        "hypothesis met (degree >= D/2-1)",
        "limit points in turns, from",
        "to",
        "limit points in radians, from",
        "up to",
        "bound 8r/D",
    ),
)

# %% jupyter={"source_hidden": true}
claims.show("thm-2.1.reach", "thm-2.1.degree")

# %% [markdown]
# ## Theorem 2.2: nearer is larger
#
# The steps of appendix C; eqs 25 to 27 are lemmas C.1 and C.2, below.

# %% jupyter={"source_hidden": true}
claims.show(
    "eq-24", "eq-28", "eq-29", "eq-30", "eq-31", "eq-32", "eq-33", "eq-33.uniform", "eq-34", "eq-7", facts=2
)

# %% [markdown]
# As a statement the theorem fails at $\mu_0=0$, which Assumption 2.1 admits; and no $D$ serves all far distances.

# %% jupyter={"source_hidden": true}
claims.show("thm-2.2.uniform", "thm-2.2.first")

# %% [markdown]
# ### Theorem 2.2, repaired
#
# The proof of the repaired form is in `thm-2.2.riemann` (finitely many pairs against their limit), `thm-2.2.ci` (three
# numbers about $\mathrm{Ci}$ and $\mathrm{Si}$) and `thm-2.2.limit` (the limit).

# %% jupyter={"source_hidden": true}
claims.show("thm-2.2", "thm-2.2.riemann", "thm-2.2.ci", "thm-2.2.limit", "thm-2.2.sharp")

# %% [markdown]
# ### The sign of $\nu_0$
#
# Over distances of both signs that of $\nu_0$ cannot matter: $(\lambda,\nu_0)$ and $(-\lambda,-\nu_0)$ have the same
# score. In a causal model keys come first, $\lambda,\Lambda>0$, and it does.

# %% jupyter={"source_hidden": true}
claims.show("thm-2.2.causal")

# %% jupyter={"source_hidden": true}
claims.practice("thm-2.2.causal")

# %% [markdown]
# **Three regimes at real sizes** ($\nu_0=0$, $\mu_0=1$, turns): what is proved in the limit and the $D$
# that the proof asks for; what balls certify at every integer at that very $(b,D)$; what is seen at 400 far
# distances.

# %% jupyter={"source_hidden": true}
regimes = (
    "base",
    "head_dim",
    "near integers",
    "proved: gap as D -> oo at least",
    "proved: D needed for Lambda up to 2^20",
    "certified",
    "certified: least C_D on the whole near interval",
    "seen: least gap",
)
claims.practice("thm-2.2", regimes, where={"angle": "turns"})

# %% jupyter={"source_hidden": true}
claims.practice("thm-2.2", regimes, where={"angle": "radians"})

# %% [markdown]
# The printed threshold against the same bases:

# %% jupyter={"source_hidden": true}
claims.practice("eq-7")

# %% [markdown]
# Where (7) first fails beyond the base:

# %% jupyter={"source_hidden": true}
claims.practice("thm-2.2.uniform")

# %% [markdown]
# ## Theorem 2.3: the gap of a given pair closes
#
# The steps of appendix D. Eqs 35, 37 and 40 fail; the theorem does not.

# %% jupyter={"source_hidden": true}
claims.show("eq-35", "eq-36", "eq-37", "eq-38", "eq-39", "eq-40", "eq-41", "eq-41.a", facts=2)

# %% [markdown]
# ### Theorem 2.3, made explicit
#
# The gap closes like $1/\ln b$ and no faster. Interpolation by $s$ divides $\delta$ by $s$.

# %% jupyter={"source_hidden": true}
claims.show("thm-2.3", "eq-8", "thm-2.3.rate", "thm-2.3.slow")

# %% jupyter={"source_hidden": true}
claims.practice("thm-2.3")

# %% [markdown]
# "Raising the base, or interpolating, reduces the bias" is true of a fixed pair once the base exceeds the
# far distance; not before, and not over theorem 2.2's own ranges, which move with the base. The two are not
# equivalent either.

# %% jupyter={"source_hidden": true}
claims.show(
    "rem-base",
    "rem-base.monotone",
    "rem-base.range",
    "rem-PI",
    "rem-PI.gap",
    "rem-PI.monotone",
    "rem-extensions",
    facts=2,
)

# %% jupyter={"source_hidden": true}
claims.practice("rem-PI")

# %% [markdown]
# ## Section 3: TAPA

# %% jupyter={"source_hidden": true}
claims.show(
    "def-3.1",
    "eq-9",
    "eq-10",
    "eq-11",
    "eq-12",
    "eq-13",
    "eq-16",
    "rem-3.reduces",
    "rem-3.reduces.scaled",
    "rem-3.stationary",
    "rem-4.5",
    "rem-4.5.linear",
    facts=2,
)

# %% jupyter={"source_hidden": true}
claims.practice("eq-12")

# %% [markdown]
# Parameters and operations:

# %% jupyter={"source_hidden": true}
claims.show("rem-3.parameters", "rem-3.flops", facts=2)

# %% [markdown]
# ### Theorem 3.2, with a proof and its exact form

# %% jupyter={"source_hidden": true}
claims.show(
    "thm-3.2", "thm-3.2.kernel", "thm-3.2.majorant", "thm-3.2.weights", "thm-3.2.gaussian", "eq-14", facts=2
)

# %% [markdown]
# The printed proof (appendix G), step by step:

# %% jupyter={"source_hidden": true}
claims.show(
    "eq-74",
    "eq-75",
    "eq-75.lambda",
    "eq-76",
    "eq-77",
    "eq-78",
    "eq-79",
    "eq-80",
    "eq-81",
    "thm-3.2.printed",
    facts=2,
)

# %% [markdown]
# The hypothesis cannot be dropped: bounded densities, laws on a sphere (normalised queries and keys), laws
# of low rank and finitely many tokens all decay more slowly, or not at all.

# %% jupyter={"source_hidden": true}
claims.show("thm-3.2.ball", "thm-3.2.sphere", "thm-3.2.rank", "thm-3.2.equal", "thm-3.2.tokens", facts=2)

# %% [markdown]
# **In practice**, for normal phases: the mean cosine itself, and the bound (14) with its best constant,
# which says nothing before the distance in the last column.

# %% jupyter={"source_hidden": true}
claims.practice("thm-3.2")

# %% jupyter={"source_hidden": true}
claims.show("rem-3.eliminates", "rem-3.limits", "rem-3.pointwise", facts=2)

# %% [markdown]
# ### Theorem 3.3, repaired
#
# Eq 15 fails as printed for fixed tokens, and with a Schwartz density too; step (83) is silent about the cross terms.

# %% jupyter={"source_hidden": true}
claims.show("thm-3.3", "thm-3.3.lebesgue", "thm-3.3.infimum", "eq-15", "rem-3.nondegenerate", facts=4)

# %% [markdown]
# The printed proof (appendix H), step by step:

# %% jupyter={"source_hidden": true}
claims.show("eq-82", "eq-83", "eq-84", "thm-3.3.printed", facts=3)

# %% jupyter={"source_hidden": true}
claims.practice("thm-3.3")

# %% jupyter={"source_hidden": true}
claims.practice("eq-15")

# %% [markdown]
# ## Section 4: what v1 says of its own numbers
#
# The perplexities are of 7B models and cannot be measured again here. Whether the text follows from the tables can be
# judged, and so can its counts of tokens.

# %% jupyter={"source_hidden": true}
claims.show("tab-1", "tab-2", "tab-3", "rem-4.tokens", "rem-4.bases", facts=2)

# %% jupyter={"source_hidden": true}
claims.practice("tab-1")

# %% [markdown]
# ## Appendix A: concentration
#
# Independence is missing: one random sign shared by all pairs meets (19), and then nothing concentrates. With
# independent blocks of pairs it does.

# %% jupyter={"source_hidden": true}
claims.show("eq-17", "eq-18", "eq-19", "eq-20", "rem-A", facts=2)

# %% jupyter={"source_hidden": true}
claims.practice("rem-A")

# %% [markdown]
# ## Appendices C, E and F: the two lemmas
#
# Four facts carry everything; each replaces pages of cutting at zeros.

# %% jupyter={"source_hidden": true}
claims.show("lem-ci", "lem-hump", "lem-cin", "lem-riemann", "lem-riemann.b")

# %% [markdown]
# ### Lemma C.1, true as printed, and stronger

# %% jupyter={"source_hidden": true}
claims.show("lem-C.1", "lem-C.1.empty", "eq-25", "eq-26", facts=2)

# %% [markdown]
# **Bounds against the trivial $\frac12$**, base $5\cdot10^5$, $D=128$:

# %% jupyter={"source_hidden": true}
claims.practice(
    "lem-C.1",
    (
        "distance",
        "turns",
        "cosine bound",
        "cosine bound, repaired",
        "|C_D|",
        "sine bound",
        "sine bound, repaired",
        "|S_D|",
        "trivial bound",
    ),
    where={"base": 500000, "head_dim": 128},
)

# %% [markdown]
# The printed steps of appendix E. **The Riemann sum** (42 to 51):

# %% jupyter={"source_hidden": true}
claims.show(
    "eq-42",
    "eq-43",
    "eq-44",
    "eq-45",
    "eq-46",
    "eq-47",
    "eq-47.a",
    "eq-48",
    "eq-49",
    "eq-50",
    "eq-51",
    facts=2,
)

# %% [markdown]
# **The cosine integral** (52 to 60):

# %% jupyter={"source_hidden": true}
claims.show(
    "eq-52",
    "eq-53",
    "eq-54",
    "eq-55",
    "eq-56",
    "eq-57",
    "eq-58",
    "eq-58.a",
    "eq-59",
    "eq-60",
    "eq-60.a",
    facts=2,
)

# %% [markdown]
# **The sine sum** (61 to 69), the same way:

# %% jupyter={"source_hidden": true}
claims.show("eq-61", "eq-62", "eq-63", "eq-64", "eq-65", "eq-66", "eq-67", "eq-68", "eq-69", facts=2)

# %% [markdown]
# ### Lemma C.2, true as printed, and stronger

# %% jupyter={"source_hidden": true}
claims.show("lem-C.2", "eq-27", "eq-70", "eq-71", "eq-72", "eq-73", facts=2)

# %% jupyter={"source_hidden": true}
claims.practice(
    "lem-C.2",
    (
        "distance",
        "turns",
        "best e_0",
        "lower bound",
        "lower bound, repaired",
        "C_D",
        "upper bound, repaired",
        "trivial bound",
    ),
    where={"base": 500000, "head_dim": 128},
)

# %% [markdown]
# ## Figure 1 of v1 (appendix I)

# %% jupyter={"source_hidden": true}
claims.show("fig-1", "fig-1.protocol", "fig-1.symmetric", "fig-1.zero", facts=2)

# %% [markdown]
# ## Every claim, and what rests on what

# %% jupyter={"source_hidden": true}
claims.verdicts()

# %% jupyter={"source_hidden": true}
import matplotlib as mpl

with mpl.rc_context(RC):
    figure = fig_05_claims.draw({"claims": read_any("claims")})
