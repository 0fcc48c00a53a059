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
# # The paper's experiments in miniature: who extrapolates?
#
# The paper (v1) trains 7B models at 8k tokens and evaluates them at up to 64k. Here models of 800 thousand
# parameters are trained on bytes at 128 and evaluated at up to 1024 (2048 after fine-tuning), with several seeds,
# and with every method's learning rate tuned by one rule. Context beyond a few bytes is worth next to nothing to
# models of this size, so the comparison asks which method does no harm; section 7 has the runs on source files, where
# far context is worth something, as far as they have come. Nothing is trained in this notebook: all numbers come from
# the records of `tapa sweep` under `figures/trained` and `figures/trained_long`. The tables are also under
# `figures/tables`, and `tapa results` prints them.

# %%
import matplotlib as mpl
from IPython.display import Markdown

from analysis.experiments import results
from analysis.experiments.long_plan import ladder
from analysis.experiments.long_results import read_long, summarise_long
from analysis.experiments.long_tables import long_page
from analysis.experiments.tables import table_markdown, there
from analysis.tables import Format
from figures import (
    fig_13_perplexity_by_length,
    fig_14_loss_by_position,
    fig_15_learning_rates,
    fig_16_retrieval,
    fig_17_alpha_and_share,
    fig_18_equal_loss,
    fig_36_frontier,
    fig_37_collected,
    fig_40_fine_tuned,
    fig_41_fine_curves,
    fig_42_masked_beyond,
    fig_43_place_code,
)
from figures.catalogue import LONG, TRAINED, read_any
from figures.style import RC
from figures.widgets import describe_figures, reading_explorer, reading_plot

describe_figures()  # pictures carry their descriptions

found = results.summarise_runs(TRAINED)
records = {"results": found}
print(f"{found['runs']} runs of {found['parameters']:,} parameters, trained at {found['trained_length']} bytes, "
      f"read on {found['bytes']:,} bytes of {len(found['documents'])} documents")  # fmt: skip
for line in found["missing"]:
    print("not there:", line)

# %% [markdown]
# ## One method at one length
#
# Two intervals answer two questions. Over seeds (band, thick): would other initial weights give this? Over documents
# (thin): would other texts?

# %%
figure = reading_plot(found, method="TAPA", length=1024)

# %%
reading_explorer(found)

# %% [markdown]
# ## 1 Perplexity by context length, ours above the paper's
#
# The layout is the same, the numbers are not to be compared: bytes above, tokens below. The dotted lines are the
# lengths that were trained.

# %%
with mpl.rc_context(RC):
    figure = fig_13_perplexity_by_length.draw(records)

# %%
Markdown(table_markdown(found, "table2"))

# %% [markdown]
# ## 2 Loss by token position
#
# The loss at every position of the longest window. A position is the number of bytes before it.

# %%
with mpl.rc_context(RC):
    figure = fig_14_loss_by_position.draw(records)

# %% [markdown]
# ## 3 At equal loss
#
# TAPA learns more slowly than RoPE at this size, and a model that is worse at the trained length has less to lose
# beyond it. So the methods are also compared where their loss at the trained length is the same. The better of the
# two is then an intermediate checkpoint near its peak learning rate, and the other has finished its schedule
# ([equal-loss-tapa](../figures/FINDINGS.md#equal-loss-tapa)).

# %%
with mpl.rc_context(RC):
    figure = fig_18_equal_loss.draw(records)

# %%
if "equal_loss" in there(found):
    display(Markdown(table_markdown(found, "equal_loss")))

# %% [markdown]
# ## 4 The learning rate
#
# It is chosen by the validation loss at the trained length. The loss beyond that length plays no part in the choice
# and depends on the rate ([rates-rope](../figures/FINDINGS.md#rates-rope),
# [rates-tapa](../figures/FINDINGS.md#rates-tapa)); compare it before a rise is called a property of a method.

# %%
with mpl.rc_context(RC):
    figure = fig_15_learning_rates.draw(records)

# %% [markdown]
# ## 5 Retrieval beside perplexity
#
# A model that ignores what is far can have a good perplexity. A letter stands in the text, like `[q]`, and a query
# at the end asks for it. Models trained on text alone cannot answer at this size, and they do not learn to look up
# a fact that stands in the text once; so half of the training windows repeat a letter several times, and every
# later occurrence is a query. The order of the methods depends on the learning rate
# ([retrieval-rates](../figures/FINDINGS.md#retrieval-rates)).

# %%
with mpl.rc_context(RC):
    figure = fig_16_retrieval.draw(records)

# %% [markdown]
# ## 6 TAPA's exponent and its share of amplitude dimensions

# %%
with mpl.rc_context(RC):
    figure = fig_17_alpha_and_share.draw(records)

# %% [markdown]
# ## 7 Where far context is worth something: source files
#
# Identifiers recur over kilobytes of source, and a reference trained at 1024 tokens gains in windows of 1024 against
# those of 256, though less than half of that is certainly of context beyond 256
# ([gate-code](../figures/FINDINGS.md#gate-code)). Every point is a run whose schedule ends there; methods are compared
# at equal loss at the trained length. On the first seed TAPA is ahead of RoPE
# ([long-tapa-rope-code](../figures/FINDINGS.md#long-tapa-rope-code)) and of NoPE, which has no term of position
# ([long-tapa-nope-code](../figures/FINDINGS.md#long-tapa-nope-code)), and behind ALiBi
# ([long-tapa-alibi-code](../figures/FINDINGS.md#long-tapa-alibi-code)), a bias by distance and nothing else. On the
# third it is ahead of RoPE as well ([long-tapa-rope-code-s2](../figures/FINDINGS.md#long-tapa-rope-code-s2)); on the
# second it is behind, by more ([long-tapa-rope-code-s1](../figures/FINDINGS.md#long-tapa-rope-code-s1)). RoPE's three
# runs are alike, TAPA's are not. So a seed decides which of the two is ahead beyond the trained length, and over seeds
# nothing is known of it ([long-tapa-rope-code-seeds](../figures/FINDINGS.md#long-tapa-rope-code-seeds)). What is said
# of TAPA beside ALiBi and NoPE is of one run of each. At the trained length itself TAPA is behind RoPE
# ([near-tapa-rope-code-seeds](../figures/FINDINGS.md#near-tapa-rope-code-seeds)), on the one seed behind NoPE
# ([near-tapa-nope-code](../figures/FINDINGS.md#near-tapa-nope-code)). Each seed has its row, over documents, and three
# have their mean, over seeds; what is not there yet is listed under the table. From windows of twice the trained length
# on, every scored token has more than that length before it;
# the step before brings nearer context as well.

# %%
plan = ladder()
long = {"long": summarise_long(read_long(LONG, plan), plan)}
with mpl.rc_context(RC):
    figure = fig_36_frontier.draw(long)

# %%
Markdown(long_page(long["long"], "long_contrasts", Format.MARKDOWN))

# %%
Markdown(long_page(long["long"], "long_use", Format.MARKDOWN))

# %% [markdown]
# How much of the bits that lie beyond the trained length does a method collect, when it reads further than it was
# trained?

# %%
with mpl.rc_context(RC):
    figure = fig_37_collected.draw(long)

# %% [markdown]
# What is lost beyond the trained length need not be lost by attending there. With all keys a trained length or more
# away masked in every layer, each layer reads as many keys as training showed it, and what is left of the loss is not
# of attention to far keys ([masked-code-tapa-s1](../figures/FINDINGS.md#masked-code-tapa-s1),
# [masked-code-nope-s0](../figures/FINDINGS.md#masked-code-nope-s0),
# [masked-code-rope-s1](../figures/FINDINGS.md#masked-code-rope-s1)).

# %%
with mpl.rc_context(RC):
    figure = fig_42_masked_beyond.draw({"bias_code": read_any("bias_code")})

# %% [markdown]
# TAPA's states say at which place of their window a token stands, as NoPE's do and RoPE's do not: the model counts.
# Whether the count goes on rightly beyond the trained length differs between seeds
# ([place-code-tapa-s1](../figures/FINDINGS.md#place-code-tapa-s1),
# [place-code-tapa-s2](../figures/FINDINGS.md#place-code-tapa-s2)). That the loss follows from it is not shown by that.

# %%
with mpl.rc_context(RC):
    figure = fig_43_place_code.draw({"position_code": read_any("position_code")})

# %% [markdown]
# ## 8 Light fine-tuning, as the paper does it
#
# Each model goes on at four times its length for a small share of its tokens, at the rate of the least validation loss
# there, and is read at lengths beyond that. Before it stand the models themselves, RoPE's with YaRN at inference where
# YaRN is what it goes on with.

# %%
with mpl.rc_context(RC):
    figure = fig_40_fine_tuned.draw(long)

# %% [markdown]
# On the way there the loss need not fall: a model can first lose what it had, more so at a higher rate, and regain it
# while its rate falls.

# %%
with mpl.rc_context(RC):
    figure = fig_41_fine_curves.draw(long)

# %%
Markdown(long_page(long["long"], "long_fine", Format.MARKDOWN))
