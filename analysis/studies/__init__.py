"""Studies, of which each makes one record. Here is what needs no trained model; the others are commands of `tapa`.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.studies.closed_form import base_curves as base_curves
    from analysis.studies.near_far import near_far_differences as near_far_differences
    from analysis.studies.precision import score_errors as score_errors
    from analysis.studies.settings import BiasInterventionSettings as BiasInterventionSettings
    from analysis.studies.settings import DistanceBiasSettings as DistanceBiasSettings
    from analysis.studies.settings import ExtrapolationBiasSettings as ExtrapolationBiasSettings
    from analysis.studies.settings import PerplexitySettings as PerplexitySettings
    from analysis.studies.settings import PhaseSettings as PhaseSettings
    from analysis.studies.settings import ScoreVarianceSettings as ScoreVarianceSettings
    from analysis.studies.settings import Watched as Watched
    from analysis.studies.tapa_moments import phase_map as phase_map

__getattr__, __dir__, __all__ = lazy.exports(__name__)
