"""The paper's tables in miniature: what is trained, what came of it, and tables of it. Import the plan from here.

Running is in `analysis.experiments.sweep` and `training_run`, results are in `analysis.experiments.results`; these need
torch.
"""

from __future__ import annotations

from analysis.experiments.plan import EXPERIMENTS as EXPERIMENTS
from analysis.experiments.plan import Evaluation as Evaluation
from analysis.experiments.plan import Grid as Grid
from analysis.experiments.plan import Run as Run
from analysis.experiments.plan import Scale as Scale
from analysis.experiments.plan import cpu as cpu
from analysis.experiments.plan import grow as grow
from analysis.experiments.plan import rate_name as rate_name
from analysis.experiments.plan import variants as variants
