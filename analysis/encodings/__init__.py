"""Positional encodings: the attention score before softmax, one small class each. Import from here.

Every class declares what it is, and one parametrised test proves the declarations for all:

relative       the score depends on positions through the distance m - n alone;
symmetric      and not on the sign of the distance;
inner_product  at given positions the score is bilinear in q and k, an inner product of vectors transformed by
               position, so that FFT gives its mean at every distance (`heads.mean_score.mean_score`);
trainable      it holds tensors that may be learned.

Partial rotation, p-RoPE, xPos and every RoPE extension are `Rope` with other frequencies (`theory.frequencies`).
A `PathEncoding` first adds up numbers of the tokens along the text and puts the sums into q and k.

Scores come in float32 at least, in float64 for float64 vectors. Inner products of amplitudes are taken in the
vectors' own type, as attention does; angles, phases, distance powers and biases never in less than float32.
Causality is not an encoding's business: both signs of the distance get a score.
"""

from analysis.encodings.additive import Alibi as Alibi
from analysis.encodings.additive import LogNope as LogNope
from analysis.encodings.additive import Nope as Nope
from analysis.encodings.additive import SlidingWindow as SlidingWindow
from analysis.encodings.additive import alibi_slopes as alibi_slopes
from analysis.encodings.base import DistanceForm as DistanceForm
from analysis.encodings.base import Encoding as Encoding
from analysis.encodings.base import PathEncoding as PathEncoding
from analysis.encodings.path import AccumulatedRotation as AccumulatedRotation
from analysis.encodings.path import Forgetting as Forgetting
from analysis.encodings.polar import Polar as Polar
from analysis.encodings.rotary import Rope as Rope
from analysis.encodings.tapa import GeneralTapa as GeneralTapa
from analysis.encodings.tapa import LinearTapa as LinearTapa
from analysis.encodings.tapa import PhaseEncoding as PhaseEncoding
from analysis.encodings.tapa import Tapa as Tapa

__all__ = [
    "AccumulatedRotation",
    "Alibi",
    "DistanceForm",
    "Encoding",
    "Forgetting",
    "GeneralTapa",
    "LinearTapa",
    "LogNope",
    "Nope",
    "PathEncoding",
    "PhaseEncoding",
    "Polar",
    "Rope",
    "SlidingWindow",
    "Tapa",
    "alibi_slopes",
]
