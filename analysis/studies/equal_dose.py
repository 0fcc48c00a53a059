"""Interventions beyond the trained length L of a small model, each with the dose that it gives.

The dose of an intervention is the far mass: the share of attention that the scored queries give to keys L or more
tokens away, mean over heads and layers. Whatever lowers far scores lowers it, so a loss that is recovered says nothing
of the shape of what was taken away unless as much far mass is taken away in another shape.

The plan, committed before any of these numbers was looked at:

models      RoPE, half-rotated RoPE, TAPA, ALiBi and NoPE with five seeds each, as far as their training is done in
            time, and the other committed models with their one seed, at the learning rate that validation chose.
scored      64 spans of 64 bytes of the test split, all read at 2 L and at 8 L; means over documents' tokens.
primary     at 8 L, for RoPE and for half-rotated RoPE each: recovered share of holding the mean score less that of
            one constant for all heads (in standard deviations of each head's scores within L) that is found by
            bisection on validation text so that its far mass is that of holding. Mean over seeds, Student's t. The
            shape of the bias is said to matter at equal dose only where the interval leaves zero out.
matched     the far masses of the two on validation text differ by at most `MATCHED`; a seed in which they differ by
            more than `MATCHED_ON_TEST` on the test text counts as not matched, and results are given with and
            without it.
sufficient  at 8 L, loss with distances clamped and the mean score's departure added, less that with distances
            clamped: the departure is said to suffice where the interval over seeds is above zero; the share is of
            what is lost unclamped beyond clamped.
excluded    runs that did not learn (`has_learned`); results are given with and without them.
dose        Spearman's correlation of far mass as it is with the rise of the loss from L to 8 L, over all runs.

Everything else is secondary: it is described, not tested.
"""

from __future__ import annotations

import math

MARGIN = 0.25  # bits per token
MATCHED, MATCHED_ON_TEST = 0.005, 0.05  # far mass


def has_learned(validation_loss: float, bigram_bits: float) -> bool:
    """Whether a run is better at L than the bigram model of its corpus by at least `MARGIN`.

    A run that is not makes next to no use of context, so that what it loses beyond L says nothing of position.

    >>> has_learned(2.0, 3.6), has_learned(2.4, 3.6)  # 2.89 and 3.46 bits
    (True, False)

    Args:
        validation_loss: at the trained length, nats per token.
        bigram_bits: of `analysis.text.corpus.bigram_bits`, bits per token.
    """
    return validation_loss / math.log(2) <= bigram_bits - MARGIN
