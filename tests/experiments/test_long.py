"""The long-range experiment: its plan, its frontier, its endpoint, its tables, and a tiny ladder that is really run."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cli import main
from analysis.errors import InputError
from analysis.experiments import long_contrasts, long_results, long_sweep, run_record
from analysis.experiments.long_contrasts import at_equal_loss, between, frontier
from analysis.experiments.long_plan import (
    CONTRASTS,
    FINE_POINTS,
    FINE_RATES,
    MIDDLE,
    Ladder,
    LongRun,
    Tier,
    crossed,
    ladder,
)
from analysis.experiments.long_results import slower_by, summarise_long
from analysis.experiments.long_sweep import Timing, gate_of, jobs, standing, sweep_long
from analysis.experiments.long_tables import TITLES, long_csv, long_page, long_table_files
from analysis.experiments.long_use import copies_after
from analysis.experiments.plan import Places
from analysis.intervals import detectable, holm, over_documents
from analysis.models.config import ModelConfig
from analysis.tables import Format
from analysis.text.corpus import Raw, from_texts, with_private_words
from analysis.text.recurrence import PitmanYor
from analysis.training.recipe import Recipe
from analysis.training.variants import VARIANTS
from figures.catalogue import CATALOGUE, LONG, TABLES
from tests.experiments.long_records import LADDER, contents_of, long_content, plain_loss
from tests.refusals import plainly_raises

# The plan.


def test_every_run_has_a_name_of_its_own_and_a_recipe():
    runs = LADDER.runs()
    assert not [name for name, count in Counter(run.name for run in runs).items() if count > 1]
    for run in runs:
        recipe = LADDER.recipe_of(run)
        assert recipe.model.method.name == VARIANTS[run.variant].method.name
        assert recipe.warmup < recipe.steps
        longer = recipe.model.context // LADDER.length
        assert longer == {"scratch": 1, "reference": 4, "fine": VARIANTS[run.variant].stretch}[run.kind]
        assert (
            recipe.batch * recipe.length == LADDER.recipe.batch * LADDER.length
        )  # the same tokens in a step


def test_every_corpus_has_its_reference_before_its_runs():
    runs = LADDER.runs()
    for corpus in {run.corpus for run in runs}:
        first = next(run for run in runs if run.corpus == corpus)
        assert first.kind == "reference"
        assert LADDER.reference(corpus) == first
        assert LADDER.recipe_of(first).length == 4 * LADDER.length
    plainly_raises(lambda: LADDER.reference("texts"), "corpus texts has no reference in the ladder; add one")


@pytest.mark.parametrize("tier", ["fine", "code_fine"])
def test_fine_tuning_takes_its_share_of_its_parents_tokens(tier: str):
    for run in LADDER.runs([tier]):
        parents = [LADDER.recipe_of(parent) for parent in LADDER.parents(run)]
        (whole,) = {parent.steps * parent.batch * parent.length for parent in parents}
        fine = LADDER.recipe_of(run)
        assert fine.steps * fine.batch * fine.length == pytest.approx(run.share * whole, rel=0.05)
        assert {parent.precision for parent in parents} == {fine.precision}
        assert 2 <= fine.steps // fine.validate_every <= 2 * FINE_POINTS


def test_a_run_is_fine_tuned_from_runs_of_earlier_tiers_at_several_rates():
    order = {run: n for n, tier in reversed([*enumerate(LADDER.tiers)]) for run in tier.runs}
    for run in LADDER.runs(["fine", "code_fine"]):
        parents = LADDER.parents(run)
        assert len({parent.lr for parent in parents}) == len(parents) >= 2
        assert all(order[parent] < order[run] for parent in parents)
        assert {parent.variant for parent in parents} == {VARIANTS[run.variant].parent}


def test_all_methods_of_a_contrast_have_the_same_rates_horizons_and_seeds():
    grid = {
        name: {(r.lr, r.share, r.seed) for r in LADDER.runs(["first", "seeds"]) if r.variant == name}
        for name in {name for pair in CONTRASTS for name in pair}
    }
    assert len({frozenset(cells) for cells in grid.values()}) == 1
    rates, shares, seeds = (set(column) for column in zip(*grid["tapa"], strict=True))
    assert (len(rates), len(shares), len(seeds)) == (3, 2, 8)


def test_runs_on_code_are_in_float32_and_the_gate_stands():
    """Whatever the processor: all methods alike, and the reference as it was recorded."""
    assert {LADDER.recipe_of(r).precision for r in LADDER.runs(["code"]) if r.kind == "scratch"} == {
        "float32"
    }
    gate = gate_of("code", LADDER, Places(LONG, Path("nowhere")))
    assert gate is not None
    assert gate.worth.passes


def test_an_unknown_tier_is_named():
    plainly_raises(lambda: ladder().of(["frist"]), "tier 'frist' is unknown; did you mean first")


# The frontier, and losses at equal loss.

points = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda p: (p[0] / 8, p[1] / 8)),
    min_size=1,
    max_size=9,
)


@given(points)
def test_the_frontier_is_the_least_that_any_two_runs_reach(found: list[tuple[float, float]]):
    """Against all pairs of runs: no chord lies below it, and one touches it."""
    hull = frontier(np.array(found))
    for x in sorted({x for x, _ in found}):
        chords = [y for at, y in found if at == x]
        for (a, u), (b, v) in combinations(found, 2):
            if min(a, b) < x < max(a, b):
                chords.append(u + (v - u) * (x - a) / (b - a))
        assert np.interp(x, hull[:, 0], hull[:, 1]) == pytest.approx(min(chords), abs=1e-12)
    assert (hull[0, 0], hull[-1, 0]) == (min(x for x, _ in found), max(x for x, _ in found))


@given(points, points)
def test_equal_loss_does_not_depend_on_the_order(one, other):
    found, back = at_equal_loss(np.array(one), np.array(other)), at_equal_loss(np.array(other), np.array(one))
    assert (found is None) == (back is None)
    if found and back:
        assert (found[0], found[1], found[2]) == (back[0], back[2], back[1])


def test_methods_that_share_no_loss_are_not_compared():
    assert at_equal_loss(np.array([[1.0, 2.0], [1.5, 2.0]]), np.array([[2.0, 2.0]])) is None


def test_a_method_that_is_better_at_l_alone_is_not_better_at_equal_loss():
    """One curve, walked to different ends: the difference at 8L of the best runs is all loss at L."""
    curve = np.array([[2.5, 3.0], [2.0, 3.5], [1.5, 4.0]])
    assert at_equal_loss(curve, curve[:2]) == (2.0, 3.5, 3.5)


@given(
    st.floats(1.1, 8), st.floats(0.05, 0.5), st.lists(st.integers(0, 12), min_size=2, max_size=6, unique=True)
)
def test_a_learner_slower_by_a_factor_has_that_factor(factor: float, fall: float, horizons: list[int]):
    """Of a law in the logarithm of tokens, which the lines between horizons are exact for."""
    curve = np.array([[1e6 * 2.0**n, 3 - fall * n] for n in horizons])
    tokens = 1e6 * 2.0 ** max(horizons)
    bits = 3 - fall * math.log2(tokens / factor / 1e6)
    found, sign = slower_by(tokens, bits, curve)
    if factor * min(curve[:, 0]) <= tokens:
        assert sign == "="
        assert found == pytest.approx(factor)
    else:
        assert sign == ">"
        assert found < factor
    assert slower_by(tokens, float(curve[:, 1].min()) - 0.1, curve)[1] == "<"


def test_the_pace_of_made_up_runs_is_their_law():
    """TAPA as RoPE with an eighth of its tokens: slower by that at every size, and the lag closes as tokens grow."""

    def law(run: LongRun, length: int) -> float:
        return 2 - 0.1 * math.log2(run.share / (8 if run.variant == "tapa" else 1)) + 0.01 * run.seed

    def worse(run: LongRun, length: int) -> float:
        return 2 - 0.1 * math.log2(run.share) + (0.15 if run.variant == "tapa" else 0)

    for truth, lag, factor, bound in ((law, 0.3, None, ">"), (worse, 0.15, 2**1.5, "=")):
        contents = contents_of("scale", loss=truth)
        rows = summarise_long(contents, LADDER)["pace"]
        assert {row["size"] for row in rows} == {"3M", "8M"}
        assert all(row["lag"] == pytest.approx(lag) and row["seeds"] == [0, 1] for row in rows)
        last = [row for row in rows if row["tokens"] == max(row["tokens"] for row in rows)]
        assert {row["bound"] for row in last} == {bound}
        assert [row["factor"] for row in last] == pytest.approx([factor] * 2) if factor else True
    assert "slower by" in long_page(summarise_long(contents, LADDER), "long_pace", Format.TEXT)


def test_rates_that_one_method_lacks_do_not_count():
    contents = {run: c for run, c in contents_of("scale").items() if run.size == "3M" and run.seed == 0}
    lost = next(run for run in contents if run.variant == "rope" and run.share == 1.0)
    kept = summarise_long({run: c for run, c in contents.items() if run != lost}, LADDER)["pace"]
    whole = summarise_long({run: c for run, c in contents.items() if run.lr != lost.lr}, LADDER)["pace"]
    assert [row["lag"] for row in kept] == [row["lag"] for row in whole]


def test_copying_counts_from_where_it_stays():
    curve = [{"tokens": t, "share": s} for t, s in ((1, 0.6), (2, 0.3), (3, 0.5), (4, 0.9))]
    assert copies_after(curve) == 3
    assert copies_after(curve[:2]) is None


# Results and tables, of all runs and of few.


@pytest.fixture(scope="module")
def whole():
    return summarise_long(contents_of(noise=0.05), LADDER, {"TAPA less RoPE": [0.1, 0.4, 0.6]})


def test_the_endpoint_is_the_truth_of_made_up_runs(whole):
    """RoPE less TAPA at 8L at TAPA's best loss at L, by hand from the made-up law."""
    content = summarise_long(contents_of("first"), LADDER)
    rows = {(row["variant"], row["against"]): row for row in content["contrasts"]}
    mine = rows["tapa", "rope"]
    assert mine["seeds"] == [0, 1, 2]
    tapa, rope = (
        [plain_loss(LongRun(v, 0, MIDDLE, share=s), 256) for s in (1.0, 0.25)] for v in ("tapa", "rope")
    )
    assert mine["bits"] == pytest.approx([tapa[0]] * 3)
    assert rope[0] < tapa[0] < rope[1]
    # every made-up rope run rises by 0.9 bits to 8L, every tapa run falls by 0.06
    assert mine["difference"] == pytest.approx(-0.96)
    far = plain_loss(LongRun("tapa", 0, MIDDLE), 2048)
    assert [tuple(pair) for pair in mine["far_bits"]] == [pytest.approx((far, far + 0.96))] * 3
    noisy = {
        (row["variant"], row["against"]): row
        for row in whole["contrasts"]
        if row["corpus"] == "private-words"
    }
    p = np.array([noisy[pair]["p"] for pair in CONTRASTS])
    np.testing.assert_allclose([noisy[pair]["p_holm"] for pair in CONTRASTS], holm(p))
    one = noisy["tapa", "rope"]
    assert one["difference_low"] < -0.96 < one["difference_high"]
    assert one["detectable"] == pytest.approx(detectable(one["sd"], 8, level=1 - 0.05 / 3))


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.booleans())
def test_the_endpoint_of_one_seed_has_an_interval_over_documents(seed: int, swapped: bool):
    """By numbers: what one document's weight changes in the endpoint, corners and equal loss found anew."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(50, 100, 9)

    def run(near: float, far: float) -> dict[str, Any]:
        bits = np.array([near, far])[:, None] + rng.normal(0, 0.05, (2, len(sizes)))
        nats = bits * sizes * math.log(2)
        items = [
            {"length": n, "extension": "none", "bits_per_byte": each.sum() / math.log(2) / sizes.sum(), "nats": each}
            for n, each in zip((LADDER.length, 8 * LADDER.length), nats, strict=True)
        ]  # fmt: skip
        return {"evaluations": items, "document_tokens": sizes}

    behind, ahead = [run(1.5, 1.7)], [run(1.1, 2.6), run(1.9, 2.3), run(1.5, 3.0)]
    pair = (ahead, behind) if swapped else (behind, ahead)

    def endpoint(weights: np.ndarray) -> float:
        losses = (
            np.array([[i["nats"] @ weights / (sizes @ weights) / math.log(2) for i in c["evaluations"]] for c in runs])
            for runs in pair
        )  # fmt: skip
        found = at_equal_loss(*losses)
        assert found is not None
        return found[1] - found[2]

    alike = np.ones(len(sizes))
    slopes = [(endpoint(alike + h) - endpoint(alike - h)) / 2e-5 for h in 1e-5 * np.eye(len(sizes))]
    value = endpoint(alike)
    wanted = over_documents(np.array(slopes) * sizes.sum() + value * sizes, sizes, seed=0)
    found = long_contrasts.equal_loss_over_documents(*pair, LADDER)
    assert found.value == pytest.approx(value)
    # resamples that are the value itself but for rounding fall to either side of it
    room = 0.02 * (wanted.high - wanted.low)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=room)


def test_one_seed_is_over_documents_and_several_over_seeds(whole):
    single = {run: c for run, c in contents_of("first").items() if run.seed == 0}
    assert {row["over"] for row in summarise_long(single, LADDER)["contrasts"]} == {"documents"}
    of_words = [row for row in whole["contrasts"] if row["corpus"] == "private-words"]
    for one, other in CONTRASTS:  # a seed each, and all together
        mine = [row for row in of_words if (row["variant"], row["against"]) == (one, other)]
        assert [row["seeds"] for row in mine] == [*([seed] for seed in range(8)), [*range(8)]]
        assert [row["over"] for row in mine] == [*["documents"] * 8, "seeds"]


def test_two_seeds_are_a_row_each_and_one_without_a_common_loss_says_so():
    """Two seeds have no interval worth the name; RoPE's second seed is ahead of all of TAPA's runs, so never equal."""
    both = {
        run: c for run, c in contents_of("first").items() if run.seed < 2 and run.variant in ("rope", "tapa")
    }
    far = next(run for run in both if (run.variant, run.seed, run.share) == ("rope", 1, 0.25))
    content = summarise_long({run: c for run, c in both.items() if run != far}, LADDER)
    first, second = content["contrasts"]
    assert (first["seeds"], first["never_equal"], first["over"]) == ([0], [], "documents")
    assert first["difference"] == pytest.approx(-0.96)
    assert (second["seeds"], second["never_equal"], second["difference"]) == ([], [1], None)
    assert second["near"] is not None
    for table in ("use", "collected"):
        seeds = {row["label"]: [] for row in content[table]}
        for row in content[table]:
            seeds[row["label"]].append(row["seeds"])
        assert all({tuple(one) for one in each} == {(0,), (1,)} for each in seeds.values())
    assert "never equal: 1" in long_page(content, "long_contrasts", Format.MARKDOWN)
    assert not [row for row in content["power"] if row["from"] == "this experiment"]


def test_seeds_are_pooled_over_the_rates_and_horizons_that_all_have():
    """A rate that one seed alone has, and that is best far away, moves that seed's frontier and not the mean."""
    some = {run: c for run, c in contents_of("first").items() if run.variant in ("rope", "tapa")}
    odd = LongRun("rope", 0, 5e-3)
    better = some | {odd: long_content(odd, loss=lambda run, n: 1.9 if n == LADDER.length else 2.0)}
    (*_, alike), (first, *_, row) = (summarise_long(c, LADDER)["contrasts"] for c in (some, better))
    assert row["differences"] == alike["differences"]
    assert first["seeds"] == [0]
    assert first["difference"] > alike["difference"] + 0.2


@given(points, points)
def test_what_is_interpolated_lies_between_its_two_runs(one, other):
    if found := at_equal_loss(np.array(one), np.array(other)):
        low, high = between(np.array(one), np.array(other))
        assert low - 1e-12 <= found[1] - found[2] <= high + 1e-12


def test_documents_that_share_text_are_drawn_as_one():
    """As the reference says; a run that was scored on other tokens than its reference is refused."""
    contents = {
        run: c for run, c in contents_of("gate", "code").items() if run.corpus == "code" and run.seed == 0
    }
    for content in contents.values():
        for item in content["evaluations"]:  # two documents of three alike, apart from the third
            item["nats"] = [n * (1.2 if d % 3 else 0.7) for d, n in enumerate(item["nats"])]
    alone = summarise_long(contents, LADDER)
    reference = next(run for run in contents if run.kind == "reference")
    contents[reference]["long_range"]["gate"]["groups"] = [d // 3 for d in range(12)]
    together = summarise_long(contents, LADDER)
    assert [row["groups"] for row in together["gate"]] == [4]
    pick = [
        {(row["label"], row["length"]): row for row in content["use"] if row["seeds"] == [0]}["RoPE", 2048]
        for content in (alone, together)
    ]
    assert pick[0]["change"] == pytest.approx(pick[1]["change"])
    # each group has the same sums, so that nothing is left to vary between them
    assert (
        pick[1]["change_high"] - pick[1]["change_low"] < 1e-9 < pick[0]["change_high"] - pick[0]["change_low"]
    )
    other = next(run for run in contents if run.kind == "scratch")
    contents[other]["long_range"]["spans_sha256"] = "11" * 32
    with pytest.raises(InputError, match="was scored on other tokens than code-rope-reference"):
        summarise_long(contents, LADDER)


def test_tests_that_are_not_there_yet_belong_to_the_family():
    """With one contrast of three, its p-value is adjusted for three."""
    some = {run: c for run, c in contents_of("first", noise=0.05).items() if run.variant in ("tapa", "rope")}
    *each, row = summarise_long(some, LADDER)["contrasts"]
    assert {one["p_holm"] for one in each} == {None}
    assert row["p_holm"] == pytest.approx(min(1.0, 3 * row["p"]))


def test_shares_are_those_of_the_made_up_words(whole):
    rows = {(row["corpus"], row["label"], row["length"]): row for row in whole["collected"]}
    assert rows["private-words", "TAPA", 4096]["share"] == pytest.approx(0.5)
    assert rows["private-words", "RoPE", 2048]["share"] == pytest.approx(-0.3)
    assert rows["private-words", "RoPE + YaRN", 4096]["over"] == "seeds"
    assert not [row for row in whole["collected"] if row["corpus"] == "code"]
    single = {run: c for run, c in contents_of("first").items() if run.seed == 0}
    assert {row["over"] for row in summarise_long(single, LADDER)["collected"]} == {"documents"}


def fine_law(run: LongRun, length: int) -> float:
    """YaRN 0.1 better than RoPE from scratch on, TAPA 0.4 worse; a fifth better for 5 %; the middle rate is best."""
    method = {"yarn_4x": -0.1, "tapa_4x": 0.4, "tapa": 0.4}.get(run.variant, 0.0)
    rate = 0.01 * abs(math.log2(run.lr / FINE_RATES[1])) if run.kind == "fine" else 0.0
    tokens = {0.005: 1.5, 0.05: 1.3}.get(run.share, 2.0)
    return tokens + method + rate + 0.1 * math.log2(length / LADDER.length) + 0.001 * run.seed


@pytest.mark.parametrize(
    ("tiers", "over"), [(("code", "code_fine"), "documents"), (("first", "seeds", "fine"), "seeds")]
)
def test_fine_tuned_runs_are_tuned_alike_and_paired_with_rope(tiers: tuple[str, ...], over: str):
    contents = contents_of(*tiers, loss=fine_law)
    content = summarise_long(contents, LADDER)
    grid = sorted({run.lr for run in contents if run.kind == "fine"})
    rows = {(row["variant"], row["share"], row["length"]): row for row in content["fine"]}
    far = 16 * LADDER.length
    for variant, less in (("rope_4x", 0.0), ("yarn_4x", -0.1), ("tapa_4x", 0.4)):
        for share, start in ((0.005, 1.5), (0.05, 1.3)):
            row = rows[variant, share, far]
            assert (row["rates"], row["tried"]) == ([FINE_RATES[1]], grid)
            assert row["bits"] == pytest.approx(start + less + 0.4, abs=0.003)
            assert row["less_rope"] == pytest.approx(less, abs=1e-9)
            assert row["over"] == over
    # before: the parents, of which YaRN's and RoPE's are one model
    assert rows["yarn_4x", 0.0, far]["bits"] == rows["rope_4x", 0.0, far]["bits"]
    assert rows["tapa_4x", 0.0, far]["less_rope"] == pytest.approx(0.4)
    curves = {
        (row["variant"], row["share"], row["seed"]): row for row in content["fine_curves"] if row["chosen"]
    }
    assert {row["lr"] for row in curves.values()} == {FINE_RATES[1]}
    assert len(content["fine_curves"]) == sum(run.kind == "fine" for run in contents)
    tokens = rows["tapa_4x", 0.05, far]["tokens"]
    assert [at for at, _ in curves["tapa_4x", 0.05, 0]["curve"]] == pytest.approx(
        [tokens / 2, tokens], rel=0.01
    )
    assert "less RoPE" in long_page(content, "long_fine", Format.MARKDOWN)


def test_a_fine_tuned_run_without_rope_or_its_parent_is_shown_without_a_difference():
    some = {run: c for run, c in contents_of("code_fine", loss=fine_law).items() if run.variant == "tapa_4x"}
    rows = summarise_long(some, LADDER)["fine"]
    assert {row["share"] for row in rows} == {0.005, 0.05}  # no parent is there
    assert {row["less_rope"] for row in rows} == {None}
    assert "tokens" in long_page(summarise_long(some, LADDER), "long_fine", Format.TEXT)


def test_needles_of_all_seeds_are_added_up(whole):
    rows = [r for r in whole["needles"] if (r["variant"], r["length"], r["depth"]) == ("tapa", 256, 0.5)]
    assert rows[0]["trials"] == 8 * LADDER.needles
    assert rows[0]["hits"] == 8 * round(LADDER.needles * 0.4)


@pytest.mark.parametrize("tiers", [(), ("gate",), ("first",), ("fine",), ("code",)])
def test_tables_are_made_of_whatever_is_there(tiers: tuple[str, ...]):
    content = summarise_long(contents_of(*tiers) if tiers else {}, LADDER)
    files = long_table_files(content)
    assert set(files) == {f"{name}.{kind}" for name in TITLES for kind in ("md", "csv")}
    for name in TITLES:
        text = files[f"{name}.md"]
        assert f"# {TITLES[name]}" in text
        assert "Not there:" in text
        assert ("No run yet." in text) == (files[f"{name}.csv"] == "")
    missing = {line.split(":")[0] for line in content["missing"]}
    assert missing == {f"tier {tier.name}" for tier in LADDER.tiers if tier.name not in tiers}


def test_a_run_that_diverged_is_told(whole):
    run = LADDER.runs(["first"])[0]
    some = contents_of("first") | {run: long_content(run, diverged=True)}
    content = summarise_long(some, LADDER)
    assert f"tier first: diverged: {run.name}" in content["missing"]
    assert "diverged" in long_page(content, "long_runs", Format.TEXT)
    assert len(long_csv(content, "long_runs").splitlines()) == 1 + len(some)


def test_power_of_the_earlier_runs(whole):
    rows = {(row["from"], row["seeds"]): row for row in whole["power"] if row["contrast"] == "TAPA less RoPE"}
    sd = float(np.std([0.1, 0.4, 0.6], ddof=1))
    assert rows["earlier runs", 8]["detectable"] == pytest.approx(detectable(sd, 8))
    assert rows["earlier runs", 16]["detectable_holm"] > rows["earlier runs", 16]["detectable"]


def test_committed_tables_follow_from_committed_records():
    """If not: `tapa figures frontier` writes them."""
    of: dict[str, Any] = dict(CATALOGUE["long"].inputs)
    files = long_table_files(long_results.long_record(**of))
    assert set(files) == {path.name for path in CATALOGUE["long"].table_files}
    assert [name for name, text in files.items() if (TABLES / name).read_text(encoding="utf-8") != text] == []


def test_a_record_of_another_run_is_refused(tmp_path: Path):
    run = LADDER.runs(["gate"])[0]
    content = long_content(run, diverged=True) | {"run": "other"}
    (tmp_path / f"{run.name}.json").write_text(
        json.dumps({"schema": run_record.TRAINED.label, "provenance": {}, "content": content})
    )
    with pytest.raises(InputError, match=r"is the record of other; give it its own name"):
        long_results.read_long(tmp_path, LADDER)


# A tiny ladder that is really run.


def tiny_ladder() -> Ladder:
    sizes = ModelConfig(layers=1, width=16, heads=2, kv_heads=1, head_dim=8, hidden=16, context=192)
    recipe = Recipe(
        model=sizes, corpus="private-words", batch=4, steps=8, lr=1e-2, warmup=1, compile=False,
        validate_every=4, validation_batches=1, save_every=2,
    )  # fmt: skip
    runs = tuple(crossed(["rope", "nope"], seeds=[0], rates=[1e-3]))
    fine = tuple(crossed(["rope_4x"], seeds=[0], rates=[1e-3], shares=[0.5], kind="fine"))
    reference = Tier("gate", "?", (LongRun("rope", 0, 1e-3, kind="reference"),))
    return Ladder(
        recipe, replace(recipe, batch=1), (reference, Tier("first", "?", runs), Tier("fine", "?", fine)),
        spans=6, target=48, longest=8, points=2, needles=2,
    )  # fmt: skip


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    raw = [(f"{i}.txt", " ".join(f"w{n}" for n in rng.integers(0, 99, 700)).encode()) for i in range(24)]
    found = with_private_words(from_texts(Raw(raw, {})), PitmanYor(), size=4096)
    test = (
        *found.test,
        *found.train[:8],
    )  # documents enough for a standard error; nothing is concluded from them
    monkeypatch.setattr(long_sweep, "_corpora", lambda *_: replace(found, test=test))


def passed(places: Places, plan: Ladder, gain: float) -> None:
    """The record of the reference, its gain put in the place of that of an untrained model."""
    path = places.record(plan.reference("private-words"))
    whole = json.loads(path.read_text())
    whole["content"]["long_range"]["gate"] |= {"gain": [gain, gain / 2, 2 * gain], "error": gain / 20}
    path.write_text(json.dumps(whole))


def test_a_ladder_stops_at_the_gate_and_goes_on_behind_it(words, tmp_path: Path):
    plan, places = tiny_ladder(), Places(tmp_path / "records", tmp_path / "runs")
    said = r"corpus private-words: context beyond the short length is worth -?0\.0\d\d bits a byte .* needs 0\.04"
    with pytest.raises(InputError, match=said):
        sweep_long([], plan, places, arguments=["tapa"])
    assert [row["stands"] for row in standing([], plan, places)] == ["done", "to do", "to do", "to do"]
    reference = run_record.read_run(places.record(plan.runs()[0]))
    assert [point["tokens"] for point in reference["long_range"]["copying"]] == [3072.0, 6144.0]
    assert {"gain", "gain_error"} <= set(reference["long_range"]["copying"][0])
    passed(places, plan, gain=0.2)
    ended = sweep_long([], plan, places, arguments=["tapa"])
    assert ended == {"done": 3, "diverged": 0, "busy": 0, "late": 0, "left": 0}
    assert jobs([], plan, places, [], None) == []
    rope = run_record.read_run(places.records / "private-words-rope-s0-lr1e-3.json")
    cells = [(item["extension"], item["length"]) for item in rope["evaluations"]]
    longer = {(e, n) for e in ("none", "ntk", "yarn") for n in (384, 768, 1536)}
    assert set(cells) == {("none", 192)} | longer
    for item in rope["evaluations"]:
        assert sum(item["nats"]) / np.log(2) / sum(rope["document_tokens"]) == pytest.approx(
            item["bits_per_byte"]
        )
    assert len(rope["long_range"]["needles"]) == 5 * 4
    fine = run_record.read_run(places.records / "private-words-rope_4x-fine-x0.5-s0-lr1e-3.json")
    assert fine["parent"] == "private-words-rope-s0-lr1e-3"
    content = summarise_long(long_results.read_long(places.records, plan), plan)
    assert [row["seeds"] for row in content["contrasts"]] == []
    assert "tier" not in "".join(content["missing"])
    # another recipe: everything is to do again, and a time that is up stops before anything is begun
    other = replace(plan, recipe=replace(plan.recipe, steps=4))
    assert {row["stands"] for row in standing([], other, places)} == {"begun"}


def test_without_a_reference_nothing_is_begun(tmp_path: Path):
    plan, places = tiny_ladder(), Places(tmp_path / "records", tmp_path / "runs")
    said = "corpus private-words has no reference yet; sweep tier gate first, or with the others"
    plainly_raises(lambda: sweep_long(["first"], plan, places, arguments=["tapa"]), said)
    assert not places.runs.exists()


def test_a_run_stops_when_time_is_up_and_goes_on(words, tmp_path: Path):
    plan, places = tiny_ladder(), Places(tmp_path / "records", tmp_path / "runs")
    ended = sweep_long(["gate"], plan, places, minutes=1e-9, arguments=["tapa"])
    assert (ended["late"], ended["left"]) == (1, 1)
    assert sweep_long(["gate"], plan, places, arguments=["tapa"])["done"] == 1


# Hours.


def test_hours_are_those_of_the_runs_that_are_left(monkeypatch, tmp_path: Path):
    plan, places = tiny_ladder(), Places(tmp_path / "records", tmp_path / "runs")
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))
    rows = long_sweep.planned_hours([], plan, places)
    assert [row["left"] for row in rows] == [1, 2, 1]
    assert all(0 < row["hours"] < 1 for row in rows)
    monkeypatch.setattr(long_sweep, "_step_seconds", lambda _: pytest.fail("timed again"))
    assert long_sweep.planned_hours([], plan, places) == rows
    run = plan.runs(["first"])[0]
    slow = Timing(3600.0, dict.fromkeys(plan.lengths, 0.0))
    recipe = plan.recipe_of(run)
    assert slow.hours(run, plan) == recipe.steps + recipe.validation_batches * 3
    plainly_raises(
        lambda: long_sweep.require_hours(rows, 1e-9),
        "the plan takes 0.0 core-hours, 1e-09 are given (gate 0.0, first 0.0, fine 0.0); name fewer tiers with --tier, "
        "or give --hours 1",
    )
    long_sweep.require_hours(rows, 10)
    long_sweep.require_hours(rows, None)


def test_kinds_of_run_that_compute_the_same_are_timed_once():
    def kinds(*names: str) -> int:
        runs = [run for run in LADDER.runs() if run.corpus == "private-words" and run.variant in names]
        return len({str(long_sweep.timed_recipe(run, LADDER).model.method) for run in runs})

    def recipes(*runs: LongRun) -> int:
        return len({str(long_sweep.timed_recipe(run, LADDER)) for run in runs})

    assert kinds("tapa", "tapa_radians") == kinds("rope_4x", "yarn_4x", "rope") == 1
    assert kinds("tapa", "tapa_frozen") == kinds("tapa", "tapa_alpha0") == kinds("rope", "p_rope") == 2
    plain = LongRun("rope", 0, 1e-3)
    same = (replace(plain, share=0.25), replace(plain, seed=5, lr=2e-3))
    assert recipes(plain, *same) == 1
    assert recipes(plain, replace(plain, kind="reference")) == 2
    assert recipes(plain, replace(plain, size="3M")) == 2
    assert recipes(plain, replace(plain, corpus="code", size="3M"), replace(plain, size="3M")) == 3
    assert recipes(replace(plain, kind="reference"), LongRun("rope_4x", 0, 1e-3, kind="fine")) == 1


def test_each_kind_is_said_before_it_is_timed_once_and_none_whose_runs_are_done(monkeypatch, tmp_path: Path):
    """The order in which lines and measurements come, and what is measured again after the cache has some."""
    plan, places, events = tiny_ladder(), Places(tmp_path / "records", tmp_path / "runs"), []
    monkeypatch.setenv("TAPA_CACHE", str(tmp_path / "cache"))

    def step(recipe: Recipe) -> float:
        events.append(("step", recipe.length))
        return 1.0

    def windows(config: ModelConfig, lengths: Sequence[int]) -> dict[int, float]:
        events.append(("windows", config.context))
        return dict.fromkeys(lengths, 0.0)

    monkeypatch.setattr(long_sweep, "_step_seconds", step)
    monkeypatch.setattr(long_sweep, "_window_seconds", windows)

    def say(line: str) -> None:
        events.append(("said", line))

    ended = {"gate"}  # of this tier every run has a record

    def stands(names, ladder, places):
        return [
            row | {"stands": "done" if row["tier"] in ended else "to do"}
            for row in standing(names, ladder, places)
        ]

    monkeypatch.setattr(long_sweep, "standing", stands)
    rows = long_sweep.planned_hours([], plan, places, say=say)
    assert [row["left"] for row in rows] == [0, 2, 1]
    first = plan.runs(["first"])[0]
    assert ("said", f"time 3 steps and the reading of {first.name} (1 of 3)") in events
    kinds = [event for event in events if event[0] != "said"]
    assert kinds.count(("step", plan.length)) == 2  # RoPE and NoPE; the third is that of fine-tuning
    # fine-tuned models are read as those from scratch
    assert [what for what, _ in kinds].count("windows") == 2
    assert all(events[place - 1][0] == "said" for place, event in enumerate(events) if event[0] == "step")
    assert "--tier names fewer" in events[0][1]
    events.clear()
    assert long_sweep.planned_hours([], plan, places, say=say) == rows
    assert events == []


def tapa(monkeypatch, capsys, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["tapa", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


def test_a_plan_longer_than_the_hours_is_one_line(monkeypatch, capsys, tmp_path: Path):
    slow = Timing(1.0, dict.fromkeys(LADDER.lengths, 0.1))
    monkeypatch.setattr(long_sweep, "measured_timing", lambda *_: slow)
    where = ["--records", str(tmp_path / "none"), "--runs", str(tmp_path / "runs")]
    code, out, err = tapa(monkeypatch, capsys, "sweep", "long", "--tier", "gate", "--dry-run", *where)
    assert code == 0, err
    hours = slow.hours(LADDER.runs(["gate"])[0], LADDER)
    assert f"gate         1     1{hours:12.2f}" in out
    code, _, err = tapa(monkeypatch, capsys, "sweep", "long", "--hours", "6", "--dry-run", *where)
    assert code == 2
    [line] = [line for line in err.splitlines() if line.startswith("tapa: ")]
    assert "\ntime 3 steps and the reading of private-words-rope-s0-lr" in err  # no terminal is there
    assert line.startswith("tapa: the plan takes ")
    assert f"6 are given (gate {hours:.1f}" in line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sweep", "long", "table2"], "long goes alone, not with table2; sweep twice"),
        (
            ["sweep", "table2", "--tier", "gate"],
            "--tier and --hours go with long; name it, or leave them out",
        ),
        (["sweep", "long", "--slurm", "2"], "--slurm is not for long"),
        (["sweep", "long", "--tier", "gat"], "tier 'gat' is unknown; did you mean gate"),
        (["results", "long_need"], "table 'long_need' is unknown; did you mean long_needles"),
        (["results", "long", "--csv"], "--csv is for one table, 9 are named"),
        (["results", "long", "--runs", "x"], "--runs goes with the paper's tables, not with long"),
        (["gate", "nosuch"], "nosuch is no model of `tapa train`; train a reference"),
    ],
)
def test_what_does_not_go_together_is_one_line(arguments, said, monkeypatch, capsys):
    code, _, err = tapa(monkeypatch, capsys, *arguments)
    assert code == 2
    [line] = err.splitlines()
    assert line.startswith(f"tapa: {said}")


def test_results_without_a_run_say_what_is_missing(monkeypatch, capsys, tmp_path: Path):
    code, out, err = tapa(
        monkeypatch, capsys, "results", "long_runs", "long_power", "--records", str(tmp_path)
    )
    assert code == 0, err
    assert "No run yet." in out
    assert "tier gate: 0 of 1 runs are there" in out
    assert "TAPA less RoPE | earlier runs" in out
