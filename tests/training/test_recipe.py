"""Recipes and configurations: round trips, settings on top, fine-tuning, and what is said of bad input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import InputError
from analysis.experiments.plan import EXPERIMENTS, Run, cpu
from analysis.experiments.run_record import read_runs
from analysis.models.checkpoint import read_checkpoint
from analysis.models.config import METHODS, MethodConfig, ModelConfig
from analysis.training.recipe import Recipe, keys, load_recipe, packaged, tuned_rates, variant_of
from analysis.training.train import parameter_count, train
from analysis.training.variants import VARIANTS
from figures.catalogue import TRAINED
from tests.models.tiny_llama import tiny_corpus, tiny_recipe

sizes = st.integers(1, 300)
configs = st.builds(
    lambda groups, kv, **rest: ModelConfig(heads=groups * kv, kv_heads=kv, **rest),
    groups=st.integers(1, 4), kv=st.integers(1, 4), vocab_size=sizes, layers=sizes, width=sizes, hidden=sizes,
    head_dim=st.integers(1, 150).map(lambda pairs: 2 * pairs), context=sizes,
    method=st.sampled_from([*METHODS]).map(MethodConfig),
)  # fmt: skip


@given(config=configs)
def test_a_configuration_survives_its_mapping(config: ModelConfig):
    assert ModelConfig.from_dict(config.to_dict()) == config
    assert config.differences(config) == []


def test_differences_name_the_fields():
    a = ModelConfig()
    b = replace(a, width=64, method=MethodConfig("rope", base=5e5))
    assert a.differences(b) == ["width: 128, not 64", "method.base: 10000.0, not 500000.0"]


def test_a_run_from_before_a_key_was_there_is_the_run_with_its_default():
    old = Recipe(lr=2e-3).to_dict()
    del old["task_weight"], old["model"]["kv_heads"]
    old["task_tellings"] = old.pop("task_repeats")  # as it was called then
    assert Recipe(lr=2e-3).differences(old) == []
    assert Recipe().differences(old) == ["lr: 0.001, not 0.002"]
    asking = Recipe(lr=2e-3, task="needle", task_share=0.5, task_weight=1.0)
    assert "task_weight: 1.0, not 0.0" in asking.differences(old)
    assert Recipe(lr=2e-3).differences({**old, "gone": 1}) == ["gone: None, not 1"]


def test_a_window_is_half_the_context_and_stays_when_the_context_grows():
    config = ModelConfig(context=64, method=MethodConfig("window"))
    assert config.method.window == 32
    assert replace(config, context=256).method.window == 32


@pytest.mark.parametrize("name", packaged())
def test_packaged_recipes_load_and_spell_out_every_key(name: str):
    recipe = load_recipe(name)
    values = recipe.to_dict()
    flat = [
        f"{table}.{key}" if table else key
        for table, part in (("", values), ("model", values["model"]), ("method", values["method"]))
        for key in part
        if key not in ("model", "method")
    ]
    assert sorted(flat) == sorted(keys())


def test_the_packaged_recipes_have_the_sizes_that_they_state():
    assert 0.8e6 < parameter_count(load_recipe("cpu")) < 0.9e6
    assert 24e6 < parameter_count(load_recipe("gpu")) < 27e6
    assert load_recipe("cpu").length == 128
    assert load_recipe("gpu").length == 512


def test_settings_go_on_top_of_the_recipe(tmp_path: Path):
    recipe = load_recipe("cpu", ["method=tapa", "seed=7", "lr=5e-4", "steps=50", "warmup=0"])
    assert recipe.model.method == MethodConfig("tapa", phase_lr_scale=0.3, phase_init_std=0.005)
    assert (recipe.seed, recipe.lr, recipe.steps) == (7, 5e-4, 50)
    assert (
        load_recipe("cpu", ["method.base=500000"]).model.method.base == 5e5
    )  # a whole number for a real one
    (tmp_path / "mine.toml").write_text('length = 64\nmethod = "alibi"\n', encoding="utf-8")
    mine = load_recipe(str(tmp_path / "mine.toml"))
    assert (mine.length, mine.model.method.name) == (64, "alibi")


@pytest.mark.parametrize(
    ("name", "changed"),
    [("tapa_alpha0", {"alpha": 0.0}), ("tapa_frozen", {"phase_lr_scale": 0.0, "phase_init_std": None})],
)
def test_a_control_has_the_rate_of_what_it_controls_for(name: str, changed: dict[str, float | None]):
    """And differs from it in nothing but what it takes away."""
    control, tapa = load_recipe("cpu", [f"method={name}"]), load_recipe("cpu", ["method=tapa"])
    assert control.lr == tuned_rates("cpu")["tapa"] == tapa.lr != load_recipe("cpu", ["method=tapa_plain"]).lr
    assert replace(tapa.model.method, **changed) == control.model.method
    assert replace(control, model=tapa.model) == tapa


SCRATCH = [name for name, variant in VARIANTS.items() if not variant.parent]


@pytest.mark.parametrize("name", SCRATCH)
def test_a_variant_is_what_the_experiments_train(name: str):
    """With its tuned rate, where there is one; `tapa train` and `tapa sweep` have one vocabulary."""
    recipe = load_recipe("cpu", [f"method={name}", "seed=2"])
    assert recipe == Run(VARIANTS[name], 2, tuned_rates("cpu").get(name, 2e-3)).recipe(cpu())
    assert variant_of(recipe) == name


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.parent])
def test_a_fine_tuned_variant_is_what_the_experiments_train(name: str):
    parent = VARIANTS[name].parent
    assert parent is not None
    weights = TRAINED / "checkpoints" / f"{parent}.safetensors"
    recipe = load_recipe("finetune", [f"from={weights}", f"method={name}"])
    run = Run(VARIANTS[name], 0, tuned_rates("finetune").get(name, 2e-4), Run(VARIANTS[parent], 0, 1e-3))
    assert recipe == run.recipe(cpu(), str(weights))
    start = read_checkpoint(weights).config
    assert variant_of(recipe, start) == name
    assert variant_of(replace(recipe, model=replace(recipe.model, context=256)), start) != name


def test_tuned_rates_are_those_that_the_records_chose():
    chosen = read_runs(TRAINED)
    rates = {name: chosen[name].rate for names in EXPERIMENTS.values() for name in names}
    assert tuned_rates("cpu") | tuned_rates("finetune") == rates
    assert rates["tapa"] == 2e-3
    assert rates["tapa_plain"] == 1e-3


def test_a_bare_method_is_the_plain_one():
    assert load_recipe("cpu", ["method.name=tapa"]).model.method == MethodConfig("tapa")
    assert load_recipe("cpu", ["method=xpos"]).model.method == MethodConfig("xpos")
    assert load_recipe("gpu", ["method=tapa"]).lr == 6e-4  # nothing is tuned at this size
    assert variant_of(load_recipe("gpu", ["method=tapa"])) == "tapa"


BAD = [
    (["stpes=3"], "recipe key stpes is unknown; did you mean steps?"),
    (["method.alhpa=3"], "recipe key method.alhpa is unknown; did you mean method.alpha?"),
    (["lr=0"], "lr=0.0 must be finite and above 0"),
    (["lr=-1"], "lr=-1.0 must be finite and above 0"),
    (["lr=nan"], "lr=nan must be finite and above 0"),
    (["lr=fast"], "lr='fast' is not a number; give one"),
    (["steps=0"], "steps=0 is not a whole number of at least 1"),
    (["steps=1.5"], "steps=1.5 is not a whole number; give one"),
    (["steps=50"], "warmup=100 leaves nothing of steps=50; give fewer"),
    (["length=1"], "length=1 leaves nothing to score; give 2 or more"),
    (["batch=0"], "batch=0 is not a whole number"),
    (["compile=1"], "compile=1 is not true or false; give one"),
    (["precision=float16"], "precision='float16' is unknown; did you mean bfloat16?"),
    (["device=gpu"], "device='gpu' is unknown; "),
    (["task=recal", "task_share=0.5"], "task='recal' is unknown; did you mean recall?"),
    (["task_repeats=4"], "task_repeats=4, task_weight=0 without a task; give one"),
    (["task=recall"], "task=recall with task_share=0.0; give both or neither"),
    (["task_share=0.5"], "task=None with task_share=0.5; give both or neither"),
    (["seed"], "'seed' is no setting; write key=value"),
    (["method=tappa"], "method 'tappa' is unknown; did you mean tapa?"),
    (
        ["method=tapa_4x"],
        "method tapa_4x goes on from a trained tapa; give from=CHECKPOINT, as in `tapa train finetune",
    ),
    (["method=nope", "method.alpha=0.3"], "alpha=0.3 means nothing to method nope; leave it out"),
    (["method=tapa", "method.alpha=-0.1"], "alpha=-0.1 must be finite and at least 0"),
    (["method=tapa", "method.phase_lr_scale=-1"], "phase_lr_scale=-1.0 must be finite and at least 0"),
    (["method=tapa", "method.amplitude_share=1"], "amplitude_share=1.0 is outside (0, 1)"),
    (["method.extension=yarm"], "extension 'yarm' is unknown; did you mean yarn?"),
    (["method.extension=pi", "method.factor=0.5"], "factor=0.5 must be finite and at least 1"),
    (["method.base=1"], "base=1.0 must be finite and above 1"),
    (["model.kv_heads=3"], "kv_heads=3 does not divide heads=2"),
    (["from=nowhere"], "there is no checkpoint nowhere; make one with `tapa train RECIPE`"),
]


@pytest.mark.parametrize(
    ("settings", "message"), BAD, ids=lambda x: " ".join(x) if isinstance(x, list) else ""
)
def test_bad_settings_are_refused_on_one_line(settings: list[str], message: str):
    with pytest.raises(InputError) as caught:
        load_recipe("cpu", settings)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_recipes_are_refused_on_one_line(tmp_path: Path):
    torn, table = tmp_path / "torn.toml", tmp_path / "table.toml"
    torn.write_text("steps = = 3\n", encoding="utf-8")
    table.write_text("[modle]\nwidth = 3\n", encoding="utf-8")
    for name, message in (
        ("cqu", "recipe 'cqu' is unknown; did you mean cpu?"),
        (str(tmp_path / "none.toml"), "cannot be read: No such file"),
        (str(torn), "is not TOML: "),
        (str(table), "recipe key modle.width is unknown; did you mean model.width?"),
    ):
        with pytest.raises(InputError) as caught:
            load_recipe(name)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model read 16 tokens."""
    out = tmp_path_factory.mktemp("run")
    train(tiny_recipe(steps=3), out, tiny_corpus())
    return out


def test_fine_tuning_takes_sizes_and_method_from_the_checkpoint(trained: Path):
    plain = load_recipe("finetune", [f"from={trained}"])
    assert plain.model == tiny_recipe().model
    longer = load_recipe("finetune", [f"from={trained}", "length=64", "method.base=1e6", "lr=1e-3"])
    assert longer.model == replace(tiny_recipe().model, context=64, method=MethodConfig("rope", base=1e6))
    assert longer.parent == str(trained)


def test_an_extension_is_filled_in_from_the_two_lengths(trained: Path):
    method = load_recipe("finetune", [f"from={trained}", "length=64", "method.extension=yarn"]).model.method
    assert (method.factor, method.trained_length) == (4.0, 16)
    given = load_recipe(
        "finetune", [f"from={trained}", "length=64", "method.extension=pi", "method.factor=8"]
    ).model.method
    assert (given.factor, given.trained_length) == (8.0, 16)


def test_fine_tuning_another_model_names_what_differs(trained: Path):
    with pytest.raises(
        InputError, match=r"cannot be the start: width: 24, not 16; method.name: tapa, not rope"
    ):
        load_recipe("finetune", [f"from={trained}", "model.width=24", "method=tapa"])


def test_a_recipe_says_nothing_about_the_machine(tmp_path: Path):
    recipe = Recipe(corpus=str(tmp_path / "books"), parent=str(tmp_path / "step-000003"))
    assert recipe.to_dict()["corpus"] == "books"
    assert recipe.to_dict()["from"] == "step-000003"
