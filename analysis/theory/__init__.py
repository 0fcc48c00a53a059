"""Closed forms in float64, without torch: frequencies, expected scores by distance, moments of scores under a law.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.theory.frequencies import Extension as Extension
    from analysis.theory.frequencies import Frequencies as Frequencies
    from analysis.theory.frequencies import linear as linear
    from analysis.theory.frequencies import llama3 as llama3
    from analysis.theory.frequencies import ntk as ntk
    from analysis.theory.frequencies import plain as plain
    from analysis.theory.frequencies import yarn as yarn
    from analysis.theory.gaussian_law import GaussianLaw as GaussianLaw
    from analysis.theory.gaussian_law import alibi_moments as alibi_moments
    from analysis.theory.gaussian_law import correlated as correlated
    from analysis.theory.gaussian_law import independent as independent
    from analysis.theory.gaussian_law import nope_moments as nope_moments
    from analysis.theory.gaussian_law import rotary_moments as rotary_moments
    from analysis.theory.model_config import from_config as from_config
    from analysis.theory.rope import cos_limit as cos_limit
    from analysis.theory.rope import cos_sum as cos_sum
    from analysis.theory.rope import expected_score as expected_score
    from analysis.theory.rope import expected_score_curve as expected_score_curve
    from analysis.theory.rope import gamma as gamma
    from analysis.theory.rope import gamma_limit as gamma_limit
    from analysis.theory.rope import mean_gap as mean_gap
    from analysis.theory.rope import near_far_gap as near_far_gap
    from analysis.theory.rope import sin_limit as sin_limit
    from analysis.theory.rope import sin_sum as sin_sum
    from analysis.theory.rope import spread_distances as spread_distances
    from analysis.theory.tapa import amplitude_dims as amplitude_dims
    from analysis.theory.tapa import local_exponent as local_exponent
    from analysis.theory.tapa import tapa_moments as tapa_moments
    from analysis.theory.theorem_2_2 import DistanceBiasTheorem as DistanceBiasTheorem

__getattr__, __dir__, __all__ = lazy.exports(__name__)
