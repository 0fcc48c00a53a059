"""Random q and k: laws to draw from, Monte Carlo of any encoding, and heads of Llamas with random weights.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.sampling.curves import curve as curve
    from analysis.sampling.laws import Gaussian as Gaussian
    from analysis.sampling.laws import Sphere as Sphere
    from analysis.sampling.laws import Student as Student
    from analysis.sampling.laws import assumption_2_1 as assumption_2_1
    from analysis.sampling.laws import negative_cross_terms as negative_cross_terms
    from analysis.sampling.laws import rescaled as rescaled
    from analysis.sampling.monte_carlo import estimate as estimate
    from analysis.sampling.random_transformer import Shape as Shape
    from analysis.sampling.random_transformer import hidden_states as hidden_states
    from analysis.sampling.random_transformer import weight_sd as weight_sd

__getattr__, __dir__, __all__ = lazy.exports(__name__)
