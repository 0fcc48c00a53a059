"""The registry of methods: each makes an encoding, is saved and read again, and has the moments that it claims."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.encodings import Encoding, Nope, PathEncoding, Rope, SlidingWindow
from analysis.errors import InputError
from analysis.models import checkpoint, users
from analysis.models.attention import Streaming
from analysis.models.config import METHODS, MethodConfig, ModelConfig
from analysis.models.llama import Llama
from analysis.models.methods import ENCODINGS, encoding_of
from analysis.theory.gaussian_law import GaussianLaw, Steps
from analysis.training.recipe import Recipe
from analysis.training.train import optimiser_of, update

SMALL = ModelConfig(vocab_size=40, layers=4, width=32, heads=4, kv_heads=2, head_dim=8, hidden=48, context=16)
every_method = pytest.mark.parametrize("method", METHODS)


def lively(method: str | MethodConfig, seed: int = 3) -> Llama:
    """Weights large enough that positions and all that is learned matter."""
    made = replace(SMALL, method=MethodConfig(method) if isinstance(method, str) else method)
    model, generator = Llama(made), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return model


def tokens(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(40, (rows, length), generator=torch.Generator().manual_seed(seed))


def test_every_method_has_an_encoding_and_options():
    assert set(ENCODINGS) == set(METHODS)


@every_method
def test_a_checkpoint_is_the_model_that_was_saved(tmp_path: Path, method: str):
    """What an encoding learns and what tokens add up is in the file; logits are the same bits."""
    model = lively(method).eval()
    recipe = Recipe(model=model.config)
    folder = checkpoint.save(
        tmp_path, 1, model.state_dict(), {"none": torch.zeros(1)},
        config=model.config, recipe=recipe.to_dict(), corpus_sha256="ab" * 32,
    )  # fmt: skip
    read = checkpoint.load_model(folder, expected=model.config)
    with torch.no_grad():
        assert torch.equal(read(tokens(2, 16)), model(tokens(2, 16)))
        other = Llama(model.config).eval()
        assert not torch.allclose(other(tokens(2, 16)), model(tokens(2, 16)), atol=1e-3)


@every_method
def test_every_parameter_is_trained_and_every_learned_tensor_is_one(method: str):
    """One step moves all: none is left out of the optimiser or of the score."""
    model = lively(method)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    learned = {
        f"blocks.{i}.attention.{n}" for i, a in enumerate(model.attentions) for n in a.encoding.learned()
    }
    assert learned <= set(before)
    optimiser = optimiser_of(model, Recipe(model=model.config))
    model.loss(tokens(4, 17)).backward()
    update(model, optimiser, 1e-2)
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name
    for i, attention in enumerate(model.attentions):
        for name, value in attention.encoding.learned().items():
            assert value is getattr(model.attentions[i], name)


@every_method
def test_a_model_reads_by_tiles_as_it_reads_at_once(method: str):
    """Through all layers, to rounding: four times what float32 costs the same model, in units of float64."""
    model = lively(method)
    with torch.no_grad():
        narrow = model(tokens(2, 27))
        model = model.double()
        at_once = model(tokens(2, 27))
        model.attend = Streaming(8, compiled=False)  # 27 tokens are no whole number of tiles
        by_tiles = model(tokens(2, 27))
    naive = float((narrow - at_once).abs().max())
    assert 0 < naive < float(at_once.abs().max())
    assert float((by_tiles - at_once).abs().max()) <= 4 * naive * 2.0 ** (24 - 53)


# torch 2.13 says so of a class of its own, when its compiler is first loaded
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
# a compilation each, a quarter of a minute of CPU time: the others at night
@pytest.mark.parametrize(
    "method",
    ["accumulated", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fox", "pope", "interleaved"))],
)
def test_a_compiled_model_says_what_it_says_uncompiled(method: str, unchecked: None):
    model = lively(method)
    compiled = torch.compile(model.loss, dynamic=False, fullgraph=True)
    assert compiled(tokens(2, 17)).item() == pytest.approx(model.loss(tokens(2, 17)).item(), rel=1e-5)


def test_one_layer_in_four_has_no_position():
    kinds = [type(a.encoding) for a in lively("interleaved").attentions]
    assert kinds == [Rope, Rope, Rope, Nope]
    two = Llama(replace(SMALL, layers=2, method=MethodConfig("interleaved")))
    assert [type(a.encoding) for a in two.attentions] == [Rope, Nope]
    other = replace(SMALL, layers=6, method=MethodConfig("interleaved", nope_every=3))
    assert [isinstance(encoding_of(other, i), Nope) for i in range(6)] == [False, False, True] * 2


def test_p_rope_keeps_the_highest_frequencies_of_rope():
    """Not those of a smaller head, as partial rotation does."""
    rope, kept = (
        encoding_of(replace(SMALL, method=MethodConfig(name, **options))).frequencies.omega
        for name, options in (("rope", {}), ("p_rope", {"rotary_share": 0.5}))
    )
    assert kept.tolist() == [*rope[:2], 0.0, 0.0]


def test_the_log_temperature_stays_at_the_length_that_was_trained():
    config = replace(SMALL, method=MethodConfig("nope_log"))
    assert encoding_of(config).length == 16
    assert encoding_of(replace(config, context=64)).length == 16


def test_an_intervention_stands_on_what_was_added_up():
    """A window over FoX: the gates are summed for the trained encoding, whatever takes its place."""
    model = lively("fox").double()
    twin = model.with_interventions(lambda _, encoding: SlidingWindow(encoding, 100))
    with torch.no_grad():
        assert torch.equal(twin(tokens(1, 16)), model(tokens(1, 16)))
        cut = model.with_interventions(lambda _, encoding: SlidingWindow(encoding, 1))
        assert not torch.allclose(cut(tokens(1, 16)), model(tokens(1, 16)), atol=1e-3)


# mean and variance in closed form, against draws


def law_of(size: int, seed: int = 1) -> GaussianLaw:
    """Means, unequal variances, correlations within and between q and k."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((2 * size, 2 * size)) / np.sqrt(2 * size)
    return GaussianLaw(0.5 * rng.standard_normal(2 * size), factor @ factor.T)


WITHOUT = {"pope", "tapa_general", "window"}
"""Methods without a closed form; a window's, inside, is that of the rotation."""
DISTANCES = np.array([0.0, 1.0, 5.0, 40.0])


def steps_of(encoding: Encoding) -> Steps | None:
    """Gaussian angles, or gates whose logarithm has these moments: log f = -E with E exponential."""
    if not isinstance(encoding, PathEncoding):
        return None
    if encoding.path_dim == 1:
        return Steps(np.array(-0.3), np.array(0.09))
    rng = np.random.default_rng(4)
    return Steps(rng.normal(size=encoding.path_dim), 0.2 * rng.random(encoding.path_dim))


def drawn(encoding: Encoding, q: Tensor, k: Tensor, distance: int, rng: np.random.Generator) -> Tensor:
    """Scores of pairs that are so far apart; of a path by texts of which these are first and last."""
    if not isinstance(encoding, PathEncoding):
        return encoding.pairwise(q, k, torch.tensor([float(distance)]))[:, 0]
    steps, size = steps_of(encoding), (len(q), 1, distance + 1, encoding.path_dim)
    assert steps is not None
    if encoding.path_dim == 1:  # sigmoid(x) = exp(-E)
        path = -np.log(np.expm1(rng.exponential(0.3, size)))
    else:
        path = rng.normal(steps.mean, np.sqrt(steps.variance), size)
    ends = torch.zeros(2, len(q), 1, distance + 1, q.shape[-1], dtype=torch.float64)
    ends[0, :, 0, -1], ends[1, :, 0, 0] = q, k
    a, b = encoding.accumulated(ends[0], ends[1], torch.from_numpy(path))
    at = torch.arange(distance + 1)
    return encoding.scores(a[:, :, -1:], b[:, :, :1], at[-1:], at[:1])[:, 0, 0, 0]


@every_method
def test_moments_are_those_of_draws(method: str):
    """Mean and variance within four standard errors of 20,000 draws, and these errors small beside what they are of."""
    config = ModelConfig(layers=4, heads=1, kv_heads=1, head_dim=8, context=16, method=MethodConfig(method))
    encoding = encoding_of(config)
    law = law_of(encoding.projected)
    found = encoding.moments(law, DISTANCES, steps_of(encoding))
    assert (found is None) == (method in WITHOUT)
    if found is None:
        return
    rng = np.random.default_rng(7)
    pairs = torch.from_numpy(rng.multivariate_normal(law.mean, law.covariance, size=20_000))
    q, k = pairs.chunk(2, dim=-1)
    for i, distance in enumerate(DISTANCES.astype(int).tolist()):
        scores = drawn(encoding, q, k, distance, rng).double().numpy()
        centred = scores - scores.mean()
        of_mean = scores.std() / np.sqrt(len(scores))
        of_variance = (centred**2).std() / np.sqrt(len(scores))
        assert abs(scores.mean() - found.mean[i]) <= 4 * of_mean + 1e-12
        assert abs(scores.var() - found.variance[i]) <= 4 * of_variance + 1e-12
        assert of_variance <= 0.1 * scores.var() + 1e-12
        assert found.second[i] == pytest.approx(found.variance[i] + found.mean[i] ** 2, abs=1e-12)


def test_moments_of_a_path_need_its_steps():
    fox = encoding_of(replace(SMALL, method=MethodConfig("fox")))
    with pytest.raises(
        InputError, match="Forgetting adds up what lies between; give steps, its mean and variance"
    ):
        fox.moments(law_of(8), DISTANCES)
    rotation = encoding_of(replace(SMALL, method=MethodConfig("accumulated")))
    with pytest.raises(InputError, match=r"steps of shape \(\) do not fit head_dim=8; give one a pair"):
        rotation.moments(law_of(8), DISTANCES, Steps(np.zeros(()), np.ones(())))
    with pytest.raises(InputError, match=r"variance=-1.0 must be finite and at least 0"):
        Steps(np.zeros(()), np.array(-1.0))


# a user's own class

MINE = """
from dataclasses import dataclass
from typing import ClassVar
import torch
from analysis.encodings import Encoding, Nope

@dataclass(frozen=True, eq=False)
class Log(Nope):
    slope: float = 1.0

    def scores(self, q, k, query_positions, key_positions):
        away = (query_positions[:, None] - key_positions).abs()
        return super().scores(q, k, query_positions, key_positions) - self.slope * torch.log1p(away)

    def pairwise(self, q, k, distance):
        return super().pairwise(q, k, distance) - self.slope * torch.log1p(distance.abs())

@dataclass(frozen=True, eq=False)
class Learned(Nope):
    trainable: ClassVar[bool] = True
    weight_of_distance: torch.Tensor = None
    heads: int = 1
    needed: str = ""

    def __post_init__(self):
        if self.weight_of_distance is None:
            object.__setattr__(self, "weight_of_distance", torch.zeros(self.heads))

    def scores(self, q, k, query_positions, key_positions):
        away = (query_positions[:, None] - key_positions).abs()
        return super().scores(q, k, query_positions, key_positions) - self.weight_of_distance[:, None, None] * away

class Half(Encoding):
    def scores(self, q, k, query_positions, key_positions):
        return q @ k.mT

class NoEncoding:
    pass

class Needs(Nope):
    def __init__(self, head_dim, width_of_it):
        pass
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's package in the current directory, never imported before."""
    package = tmp_path / "mypackage"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text(MINE)
    (package / "broken.py").write_text("def half(:\n")
    monkeypatch.chdir(tmp_path)
    yield package / "module.py"
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


def test_a_users_class_is_a_method(mine: Path):
    method = users.with_source(MethodConfig("mypackage.module:Log", options={"slope": 0.5}))
    model = lively(method)
    encoding = model.attentions[0].encoding
    assert (type(encoding).__name__, encoding.slope, encoding.head_dim) == ("Log", 0.5, 8)
    assert ModelConfig.from_dict(model.config.to_dict()) == model.config
    with torch.no_grad():
        assert not torch.allclose(model(tokens(1, 9)), model.with_encoding(Nope(8))(tokens(1, 9)), atol=1e-3)


def test_what_a_users_class_learns_is_trained(mine: Path):
    model = lively(users.with_source(MethodConfig("mypackage.module:Learned")))
    weight = model.attentions[0].weight_of_distance
    assert weight.shape == (4,)
    assert weight is model.attentions[0].encoding.weight_of_distance
    model.loss(tokens(2, 9)).backward()
    assert bool(weight.grad.abs().sum() > 0)


BAD = [
    (
        "mypackage.gone:Log",
        {},
        r"module mypackage.gone cannot be imported \(No module named 'mypackage.gone'\); start",
    ),
    (
        "mypackage.broken:Log",
        {},
        "module mypackage.broken cannot be imported .*; start in the folder that holds it",
    ),
    ("mypackage.module:Lgo", {}, "module mypackage.module has no class Lgo; did you mean Log?"),
    ("mypackage.module:NoEncoding", {}, "is no encoding; derive it from analysis.encodings.Encoding"),
    ("mypackage.module:Half", {}, "is no whole encoding; it lacks pairwise"),
    ("mypackage.module:Log", {"slop": 1.0}, "takes no option slop; did you mean method.slope?"),
    ("mypackage.module:Log", {"head_dim": 3}, "method.head_dim of mypackage.module:Log is the model's"),
    (
        "mypackage.module:Needs",
        {},
        "method mypackage.module:Needs needs width_of_it; give method.width_of_it=VALUE",
    ),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_a_class_that_does_not_serve_is_refused_on_one_line(
    mine: Path, name: str, options: dict, message: str
):
    with pytest.raises(InputError, match=message) as refused:
        encoding_of(replace(SMALL, method=users.with_source(MethodConfig(name, options=options))))
    assert "\n" not in str(refused.value)


def test_a_name_that_is_no_import_path_is_refused():
    with pytest.raises(
        InputError, match=r"method 'Log' is no import path of a class; write mypackage.module:Class"
    ):
        users.imported("Log")
    with pytest.raises(
        InputError, match=r"method 'my package:Log' is unknown; .*your own is mypackage.module:Class"
    ):
        MethodConfig("my package:Log")
    with pytest.raises(InputError, match=r"alpha=0.3 means nothing to method a.b:C; leave it out"):
        MethodConfig("a.b:C", alpha=0.3)
    with pytest.raises(InputError, match="is no number, text or truth value"):
        MethodConfig("a.b:C", options={"slope": [1]})
    with pytest.raises(
        InputError, match=r"options=\{'slope': 1\} means nothing to method nope; leave it out"
    ):
        MethodConfig("nope", options={"slope": 1})


def saved(mine: Path) -> Path:
    model = lively(users.with_source(MethodConfig("mypackage.module:Log", options={"slope": 0.5})))
    return checkpoint.save(
        mine.parent, 1, model.state_dict(), {"none": torch.zeros(1)}, config=model.config,
        recipe=Recipe(model=model.config).to_dict(), corpus_sha256="ab" * 32,
    )  # fmt: skip


def test_a_checkpoint_imports_no_code(mine: Path):
    """The module leaves a trace when it is run: reading a checkpoint that names it leaves none."""
    folder = saved(mine)
    for name in ("mypackage.module", "mypackage"):
        del sys.modules[name]
    trace = mine.parent / "trace"
    mine.write_text(f"open({str(trace)!r}, 'w').close()\n{MINE}")
    assert checkpoint.read_checkpoint(folder).config.method.name == "mypackage.module:Log"
    message = (
        "a checkpoint may not have code imported; if you trust it, name it: --method mypackage.module:Log"
    )
    with pytest.raises(InputError, match=message):
        checkpoint.load_model(folder)
    assert not trace.exists()
    assert "mypackage" not in sys.modules
    users.imported("mypackage.module:Log")  # by hand, this is what code does
    assert trace.exists()


def test_a_class_that_changed_since_is_refused(mine: Path):
    folder = saved(mine)
    users.imported("mypackage.module:Log")
    assert checkpoint.load_model(folder).attentions[0].encoding.slope == 0.5
    mine.write_text(MINE.replace("log1p", "sqrt"))
    with pytest.raises(
        InputError, match=r"has changed since it was trained: its source has sha256 .* not .*; give"
    ):
        checkpoint.load_model(folder)
