"""Distance bias in RoPE and TAPA, in numbers: closed forms, encodings, models, statistics of heads, records, studies.

What a user needs can be imported from here; every name has a running example in its own docstring:

>>> import analysis, numpy as np
>>> analysis.gamma(np.array([1, 1000]), base=1e4, head_dim=128, mu=1.0, nu=0.0).round(4)  # score over sqrt(D)
array([0.4851, 0.0795])

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

from importlib import import_module
from typing import Any

_HOMES = {
    "errors": "InputError",
    "theory.frequencies": "Frequencies plain linear yarn llama3",
    "theory.model_config": "from_config",
    "theory.rope": "expected_score expected_score_curve gamma near_far_gap cos_limit sin_limit",
    "theory.theorem_2_2": "DistanceBiasTheorem",
    "theory.gaussian_law": "independent correlated rotary_moments",
    "theory.tapa": "tapa_moments",
    "encodings": "Rope Tapa Alibi",
    "heads.mean_score": "mean_score",
    "sampling.monte_carlo": "estimate",
    "intervals": "over_documents over_seeds",
    "records": "Provenance read",
    "models.config": "ModelConfig",
}
_API = {name: f"analysis.{home}" for home, names in _HOMES.items() for name in names.split()}
__all__ = sorted(_API)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    value = getattr(import_module(_API[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
