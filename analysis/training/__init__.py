"""Training of small models: recipes, variants, the trainer. Import what needs no torch from here.

The trainer itself is in `analysis.training.train`, the retrieval tasks are in `analysis.training.retrieval_data`; both
need torch.
"""

from __future__ import annotations

from analysis.training.recipe import FinetuneSettings as FinetuneSettings
from analysis.training.recipe import Recipe as Recipe
from analysis.training.recipe import load_recipe as load_recipe
from analysis.training.recipe import packaged as packaged
from analysis.training.recipe import tuned_rates as tuned_rates
from analysis.training.recipe import variant_of as variant_of
from analysis.training.variants import VARIANTS as VARIANTS
from analysis.training.variants import Variant as Variant
from analysis.training.variants import label as label
