"""Distance bias in RoPE and TAPA, in numbers: closed forms, encodings, models, statistics of heads, records, studies.

What a user needs can be imported from here; every name has a running example in its own docstring:

>>> import analysis, numpy as np
>>> analysis.gamma(np.array([1, 1000]), base=1e4, head_dim=128, mu=1.0, nu=0.0).round(4)  # score over sqrt(D)
array([0.4851, 0.0795])

Two curves and a picture, and a head of one's own record:

>>> from analysis import curve, plain, plot, yarn
>>> rope = curve(plain(1e4, 128), to=131_072)
>>> longer = curve(yarn(1e4, 128, factor=8.0, trained_length=8192), to=131_072)
>>> picture = plot({"RoPE": rope, "YaRN, factor 8": longer})  # picture.savefig("curves.png")

    from analysis import open_record, plot
    plot(open_record("my.nc"), "3.4").savefig("head.png")

A name is imported from its module when it is first used: `import analysis` alone imports neither NumPy nor torch.

Notation, for the whole project. Position m rotates pair d by +m omega_d, with omega_d in rad/token, so a score depends
on the distance m - n through cos and sin of +(m - n) omega_d. The paper's own "turns" (angle 2 pi lambda theta_d) are
reached by `turns=True`, never by hand. The paper's symbols and our names:

| paper | name | shape | unit | range | meaning |
|---|---|---|---|---|---|
| D | head_dim | - | count | even, >= 2 | dimension of one head |
| 1/theta_0 | base | - | 1 | > 1 | RoPE base |
| theta_0 | inverse_base | - | 1 | (0, 1) | inverse of the base |
| theta_d | theta | pairs | turns or rad per token | (0, 1] | rotation argument of pair d |
| - | omega | pairs | rad/token | > 0 | angular frequency: theta_d, or 2 pi theta_d in turns |
| m, n | query_position, key_position | - | tokens | >= 0 | positions |
| lambda | distance | n | tokens | finite | query position minus key position |
| Lambda | far_distance | n | tokens | finite | the larger distance of a near-far pair |
| q, k | q, k | length head_dim | 1 | - | query and key before any position is applied |
| A_d | a | pairs | 1 | - | q_{2d} k_{2d} + q_{2d+1} k_{2d+1} |
| B_d | b | pairs | 1 | - | q_{2d} k_{2d+1} - q_{2d+1} k_{2d} |
| mu_0, mu_d | mu | pairs | 1 | - | E A_d |
| nu_0, nu_d | nu | pairs | 1 | - | E B_d |
| sigma_0^2 | sigma_sq | - | 1 | >= 0 | E (q_d k_d)^2 |
| C_D, S_D | cos_sum, sin_sum | n | 1 | [-1/2, 1/2] | (1/D) sum_d cos, sin of the angle |
| Gamma_lambda | gamma | n | 1 | - | mu_0 C_D + nu_0 S_D: expected score over sqrt(D) |
| Delta | gap | n | 1 | - | Gamma at a near distance minus Gamma at a far one |
| alpha | alpha | - | 1 | >= 0 | exponent of the distance in TAPA's phase; 0: no distance |
| theta (split) | amplitude_share | - | 1 | (0, 1) | share of the dimensions in the amplitude |
| phi | phase | length length | turns at distance 1 | - | TAPA's phase function |
| - | scale | - | 1 | > 0 | factor of the score; 1/sqrt(D) in the paper |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis import lazy

if TYPE_CHECKING:
    from analysis import encodings as encodings
    from analysis.encodings import Alibi as Alibi
    from analysis.encodings import Rope as Rope
    from analysis.encodings import Tapa as Tapa
    from analysis.errors import InputError as InputError
    from analysis.heads.mean_score import mean_score as mean_score
    from analysis.intervals import over_documents as over_documents
    from analysis.intervals import over_seeds as over_seeds
    from analysis.models.attention import encoded_attention as encoded_attention
    from analysis.models.config import ModelConfig as ModelConfig
    from analysis.models.load import open_model as open_model
    from analysis.plotting import plot as plot
    from analysis.records import Provenance as Provenance
    from analysis.sampling.curves import curve as curve
    from analysis.sampling.monte_carlo import estimate as estimate
    from analysis.schemas import open_record as open_record
    from analysis.studies.distance_bias import measure as measure
    from analysis.theory.frequencies import Frequencies as Frequencies
    from analysis.theory.frequencies import linear as linear
    from analysis.theory.frequencies import llama3 as llama3
    from analysis.theory.frequencies import plain as plain
    from analysis.theory.frequencies import yarn as yarn
    from analysis.theory.gaussian_law import correlated as correlated
    from analysis.theory.gaussian_law import independent as independent
    from analysis.theory.model_config import from_config as from_config
    from analysis.theory.rope import expected_score as expected_score
    from analysis.theory.rope import expected_score_curve as expected_score_curve
    from analysis.theory.rope import gamma as gamma
    from analysis.theory.tapa import tapa_moments as tapa_moments
    from analysis.theory.theorem_2_2 import DistanceBiasTheorem as DistanceBiasTheorem

__getattr__, __dir__, __all__ = lazy.exports(
    __name__,
    moved=dict.fromkeys(("cos_limit", "near_far_gap", "rotary_moments", "sin_limit"), "analysis.theory")
    | {"read": "analysis.records"},
)
