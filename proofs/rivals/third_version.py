"""The third version of the TAPA paper (2026-05): what its abstract claims anew, none of which can be computed from v1.

What bears on it in miniature are findings of this project, named in each argument; they decide nothing at its sizes.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.evidence import Evidence
from proofs.ledger import Known
from proofs.rivals import BESIDE, unjudged

PAPER = "tapa-v3"


@BESIDE.claim(
    "tapa-3.cpt",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="remark",
    says='TAPA extends to longer contexts by "direct and light continual pretraining"',
    outline="Unknown, not checked: tokens, data and lengths were not seen. v1 had 500 steps of fine-tuning on PG19. "
    "In miniature, bytes and other sizes: difference-tapa-4x.",
    in_words="of training runs",
)
def tapa3_cpt() -> Iterator[Evidence]:
    yield unjudged("tokens, data and lengths were not seen")


@BESIDE.claim(
    "tapa-3.ppl",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="remark",
    says='"substantially lower" perplexity than RoPE-style baselines in the long-context regime',
    outline="Unknown, not checked at its sizes. In miniature, bytes and other sizes: difference-tapa, equal-loss-tapa; "
    "on source files three seeds, on either side of RoPE: long-tapa-rope-code-seeds.",
    in_words="of training runs",
)
def tapa3_ppl() -> Iterator[Evidence]:
    yield unjudged("numbers and baselines were not seen")


@BESIDE.claim(
    "tapa-3.retrieval",
    where="abstract",
    paper=PAPER,
    known=Known.ABSTRACT,
    kind="remark",
    says="stronger retrieval than RoPE-style baselines at long context",
    outline="Unknown, not checked: v1 has no retrieval, and task, lengths and baselines were not seen. In "
    "miniature, with ALiBi and NoPE beside RoPE: retrieval-tapa, retrieval-rope, retrieval-tapa-less-alibi.",
    in_words="of training runs",
)
def tapa3_retrieval() -> Iterator[Evidence]:
    yield unjudged("task, lengths and baselines were not seen")
