"""Statistics of the queries and keys of one layer, before any position is applied.

Import from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis.heads.anova import design as design
    from analysis.heads.anova import draw_token_pairs as draw_token_pairs
    from analysis.heads.bias_interventions import intervention as intervention
    from analysis.heads.bias_interventions import level_at as level_at
    from analysis.heads.bias_interventions import match_dose as match_dose
    from analysis.heads.decomposition import share as share
    from analysis.heads.decomposition import split_layer as split_layer
    from analysis.heads.decomposition import weights as weights
    from analysis.heads.mean_score import mean_score as mean_score
    from analysis.heads.mean_score import pair_counts as pair_counts
    from analysis.heads.phase import curves as curves
    from analysis.heads.phase import factors as factors
    from analysis.heads.phase import octaves as octaves
    from analysis.heads.phase import share_explained as share_explained
    from analysis.heads.phase import spread as spread

__getattr__, __dir__, __all__ = lazy.exports(__name__)
