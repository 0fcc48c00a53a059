"""An encoding of a user's own, the 14 lines of CONTRIBUTING, gets what the project's own have, by the API alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from analysis import curve, encoded_attention, estimate
from analysis.evaluation import evaluate_spans
from analysis.heads import intervention
from analysis.heads.bias_interventions import Curves, level_at
from analysis.models import load_model, users
from analysis.models.attention import oracle
from analysis.models.config import MethodConfig
from analysis.models.llama import Llama
from analysis.sampling import Gaussian
from analysis.studies.extrapolation_bias import observe, spread_within
from analysis.text.windows import spans
from analysis.theory import correlated
from analysis.training.train import train
from tests.models.tiny_llama import tiny_corpus, tiny_recipe

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
NAME = "own_encoding:LogDistance"
LONGEST = 64  # tokens, four times what is trained


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The class, imported from a file of one's own by the name that the user gives."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_encoding.py").write_text(EXAMPLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield users.imported(NAME)
    del sys.modules["own_encoding"]


@pytest.fixture(scope="module")
def trained(own: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Llama, list[float]]:
    """A model with it after 60 steps, and the losses."""
    recipe = tiny_recipe(
        users.with_source(MethodConfig(NAME, options={"slope": 0.5})), steps=60, save_every=60
    )
    folder, log = train(recipe, tmp_path_factory.mktemp("run"), tiny_corpus())
    return load_model(folder), log.loss


def test_it_has_14_lines():
    _, _, body = EXAMPLE.partition("class ")
    assert len([line for line in f"class {body}".splitlines() if line.strip()]) == 14


def test_monte_carlo_and_moments_agree(own: Any):
    encoding, law, at = own(8, slope=0.5), correlated(8, 0.3, mu=0.5), np.array([0.0, 1.0, 30.0, 1000.0])
    drawn, exact = estimate(encoding, Gaussian(law), at, 1 << 14, seed=0), encoding.moments(law, at)
    assert exact is not None
    assert (abs(drawn["mean"] - exact.mean) < 5 * drawn["mean_se"]).all()
    assert (abs(drawn["variance"] - exact.variance) < 5 * drawn["variance_se"]).all()
    found = curve(encoding, law, to=1000, points=4)
    assert found["mean"].values[-1] == pytest.approx(exact.mean[-1])


def test_it_is_attention_in_a_module_of_ones_own(own: Any):
    q, k, v = torch.randn(3, 1, 2, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = oracle(own(8), q, k, v, torch.arange(9))
    torch.testing.assert_close(encoded_attention(own(8), q, k, v), expected)


def test_it_is_trained(trained: tuple[Llama, list[float]], own: Any):
    """From log 32 = 3.47 nats, as every method of the project's own."""
    model, losses = trained
    assert isinstance(model.attentions[0].encoding, own)
    assert losses[0] == pytest.approx(3.47, abs=0.1)
    assert np.mean(losses[-5:]) < 2.9


def test_it_is_evaluated(trained: tuple[Llama, list[float]]):
    chosen = spans(tiny_corpus().test, LONGEST - 8, 8, 4, seed=0)
    rows = [evaluate_spans(trained[0].eval(), chosen, length) for length in (16, LONGEST)]
    for row in rows:
        assert 0 < sum(row["nats"]) / 32 < 3.47


@torch.no_grad()
def test_interventions_change_its_scores_beyond_a_length(trained: tuple[Llama, list[float]]):
    """Held, the mean score beyond L is its level at L in every head; clamped, that of L - 1, but for what tokens do."""
    model, length = trained[0].eval(), LONGEST
    tokens = torch.from_numpy(np.stack([d.tokens[:length] for d in tiny_corpus().train]).astype(np.int64))
    seen = observe(model, tokens, 16)
    assert seen.mean[..., -1].max() < seen.mean[..., 1].max()  # the penalty grows with distance
    curves = Curves(seen.mean, spread_within(seen), 16)
    held = observe(model.with_interventions(intervention("hold", curves, length)), tokens, 16)
    # of the first layer, whose input no intervention has changed
    level = level_at(curves.mean, 16)[0][:, None]
    assert np.allclose(held.mean[0][:, 16:], level, atol=1e-5)
    assert np.allclose(held.mean[0][:, :16], seen.mean[0][:, :16], atol=1e-5)
    clamped = observe(model.with_interventions(intervention("clamp", curves, length)), tokens, 16)
    raised = clamped.mean[0][:, 16:] - seen.mean[0][:, 16:]
    expected = 0.5 * (np.log1p(np.arange(16, length)) - np.log1p(15))
    assert np.allclose(raised, expected, atol=1e-5)
