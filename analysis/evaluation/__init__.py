"""Loss by context length and retrieval at a distance: protocols, and what a model scores under them.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.evaluation.loss_by_length import evaluate_spans as evaluate_spans
    from analysis.evaluation.loss_by_length import position_edges as position_edges
    from analysis.evaluation.protocol import Protocol as Protocol
    from analysis.evaluation.protocol import scaled_stride as scaled_stride
    from analysis.evaluation.retrieval import evaluate_retrieval as evaluate_retrieval

__getattr__, __dir__, __all__ = lazy.exports(__name__)
