"""Interventions in the distance bias beyond a trained length L, for any model: from mean scores to encodings.

Mean scores by distance are measured on other text than they are used on (`Curves`). `intervention` turns them into a
change of every layer's encoding, for `Llama.with_interventions` or `models.intervened`. With c(D) the mean score of a
head at distance D, c(L) its level just within L and sd the standard deviation of its scores within L, the score of
two tokens D >= L apart is changed as `NAMES` says. Whatever lowers far scores lowers the attention mass on far keys,
and that alone may help: `dose` measures the mass, and `match_dose` finds the one constant with the same mass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Complex128, Float, Float64, Int
from torch import Tensor

from analysis.encodings import Encoding, Rope, SlidingWindow
from analysis.encodings.interventions import Change, Clamped, LengthCorrected, OpeningKeys, Shifted, unchanged
from analysis.encodings.rotary import complex_pairs, rotation_table
from analysis.errors import InputError
from analysis.heads.mean_score import causal_square_sum, mean_score, pair_counts
from analysis.models.capture import LayerCapture
from analysis.settings import check_whole, nearest
from analysis.theory.frequencies import Frequencies

NAMES: Mapping[str, str] = {
    "plain": "nothing is changed",
    "hold": "score - c(D) + c(L): the measured mean stays at its level at L",
    "hold-predicted": "as hold, c in closed form from the mean query and key within L",
    "hold-within": "score - c(D) + c(L) below L only: beyond it nothing is changed",
    "hold-average": "score less the mean over far distances of c(D) - c(L): their level is held, their shape is not",
    "subtract": "score - c(D)",
    "constant": "score - 1.5 sd",
    "matched-constant": "score + a sd, one a for all heads: the far mass of hold without its shape",
    "matched-constant-but-sink": "as matched-constant, the first 4 keys exempt: the far mass of hold-but-sink",
    "matched-heads": "score + a sd, one a for each head: the far mass of hold in every head",
    "swapped": "as hold, with the departure c(D) - c(L) of another head, in units of sd",
    "shuffled": "as hold, the departures in another order of far distances",
    "clamp": "the score of the same two tokens L - 1 apart",
    "clamp-departure": "the clamped score and the departure c(D) - c(L): is the departure sufficient?",
    "clamp-constant": "the clamped score + a sd, one a for all heads: the far mass of clamp-departure",
    "mask": "minus infinity",
    "mask-sink": "minus infinity but for the first 4 keys",
    "hold-but-sink": "as hold, the first 4 keys exempt",
    "hold-sink-only": "as hold, for the first 4 keys only",
    "hold-rebound-heads": "as hold, in the quarter of the heads whose mean rebounds most",
    "hold-random-heads": "as hold, in as many of the other heads, drawn at random",
    "hold-fast": "as hold-predicted, of pairs that turn once or more within L only",
    "hold-slow": "as hold-predicted, of the other pairs only",
    "length-corrected": "score - ln(number of far keys): far keys together weigh as one of their mean weight",
    "yarn": "RoPE with other frequencies, at all distances",
}
"""What each intervention does to scores of tokens L or more apart, unless it says otherwise."""

CONSTANT = -1.5  # sd, of "constant"
OPENING = 4  # keys that "sink" means
LEVEL_FROM = 0.75  # c(L) is the mean of c(D) from this share of L on, below L
REBOUND_SHARE = 0.25  # of the heads, in "hold-rebound-heads"
PREDICTED = ("hold-predicted", "hold-fast", "hold-slow")
CLAMPED = ("clamp-departure", "clamp-constant")
MATCHED: Mapping[str, str] = {
    "matched-constant": "hold",
    "matched-constant-but-sink": "hold-but-sink",
    "clamp-constant": "clamp-departure",
}
"""Interventions by one constant for all heads, and those whose far mass they have: controls of equal dose."""
MATCHED_HEADS: Mapping[str, str] = {"matched-heads": "hold"}
"""Those by one constant for each head."""
"""Interventions that need no mean scores."""

HeadCurves = Float64[np.ndarray, "layers heads reach"]
HeadValues = Float64[np.ndarray, "layers heads"]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Mean scores by distance of all heads of a model, measured on text that nothing is scored on.

    Attributes:
        mean: mean score at distances 0 .. reach - 1.
        spread: standard deviation of a head's scores at distances below L, > 0.
        trained_length: L, tokens.
        predicted: mean score in closed form from the mean query and key in windows of at most L tokens; None where
            nothing rotates.
        fast: the part of `predicted` of pairs that turn once or more within L.
    """

    mean: HeadCurves
    spread: HeadValues
    trained_length: int
    predicted: HeadCurves | None = None
    fast: HeadCurves | None = None

    def __post_init__(self) -> None:
        check_whole("trained_length", self.trained_length, 2)
        if self.spread.shape != self.mean.shape[:2] or not (self.spread > 0).all():
            raise InputError("spread is not one number above 0 for each head; measure on more text")
        for name in ("predicted", "fast"):
            curve = getattr(self, name)
            if curve is not None and curve.shape != self.mean.shape:
                raise InputError(f"{name} has shape {curve.shape}, the mean has {self.mean.shape}")

    def departure(
        self, length: int, curve: HeadCurves | None = None
    ) -> Float64[np.ndarray, "layers heads length"]:
        """c(D) - c(L) at distances 0 .. length - 1, of the measured mean or another curve."""
        found = self.mean if curve is None else curve
        if length > found.shape[-1] or not np.isfinite(found[..., :length]).all():
            raise InputError(f"mean scores are not known up to distance {length - 1}; measure longer windows")
        return found[..., :length] - level_at(found, self.trained_length)[..., None]

    def rebound(self, length: int) -> HeadValues:
        """Mean over distances L .. length - 1 of the departure, in standard deviations."""
        return self.departure(length)[..., self.trained_length :].mean(axis=-1) / self.spread

    def to_arrays(self, key: str) -> dict[str, np.ndarray]:
        """What is kept of curves that have all their parts, the curves in float32, and what they depend on.

        >>> curves = Curves(*(np.ones(shape) for shape in ((1, 1, 8), (1, 1))), 4, *np.ones((2, 1, 1, 8)))
        >>> again = Curves.from_arrays(curves.to_arrays("mine"), "mine")
        >>> again.mean.shape, Curves.from_arrays(curves.to_arrays("mine"), "another")
        ((1, 1, 8), None)
        """
        assert self.predicted is not None
        assert self.fast is not None
        arrays = {"mean": self.mean, "predicted": self.predicted, "fast": self.fast}
        short = {name: values.astype(np.float32) for name, values in arrays.items()}
        return short | {
            "key": np.array(key), "trained_length": np.array(self.trained_length), "spread": self.spread,
        }  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], key: str) -> Curves | None:
        """Curves that `to_arrays` kept for this key; None if there are none."""
        names = ("mean", "spread", "predicted", "fast")
        if not {"key", "trained_length", *names} <= arrays.keys() or str(arrays["key"]) != key:
            return None
        mean, spread, predicted, fast = (arrays[name].astype(np.float64) for name in names)
        return cls(mean, spread, int(arrays["trained_length"]), predicted, fast)


def level_at(mean: HeadCurves, trained_length: int) -> HeadValues:
    """c(L): mean of the curve just within L.

    >>> level_at(np.arange(8.0)[None, None], 8)  # of distances 6 and 7
    array([[6.5]])
    """
    return mean[..., int(LEVEL_FROM * trained_length) : trained_length].mean(axis=-1)


def check_intervention(name: str) -> None:
    """`InputError` that suggests the nearest of `NAMES` for an unknown name."""
    if name not in NAMES:
        raise InputError(f"intervention {name!r} is unknown; {nearest(name, NAMES)}")


def intervention(
    name: str,
    curves: Curves,
    length: int,
    *,
    seed: int = 0,
    constant: float | HeadValues | None = None,
    extended: Frequencies | None = None,
) -> Change:
    """A change of every layer's encoding.

    Args:
        name: of `NAMES`.
        curves: of the model; their trained length says where an intervention begins to act.
        length: tokens that are read at most, > L.
        seed: of shuffled distances, swapped heads and random heads.
        constant: in sd, of "constant" (-1.5 if not given) and of `MATCHED`; of `MATCHED_HEADS` one for each head.
        extended: frequencies of "yarn".

    Raises:
        InputError: an unknown name, a curve that is shorter than `length`, or what an intervention needs is missing.

    >>> from analysis.encodings import Nope
    >>> curves = Curves(np.arange(6.0)[None, None], np.ones((1, 1)), 4)  # one head, L = 4, c(L) = 3
    >>> one = torch.ones(1, 6, 4)
    >>> held = intervention("hold", curves, 6)(0, Nope(4))
    >>> held.scores(one, one, torch.arange(6), torch.arange(6))[0, 5].tolist()  # keys 5, 4, 3, ... apart
    [0.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    check_intervention(name)
    trained = curves.trained_length
    if length <= trained:
        raise InputError(f"length={length} is not beyond the trained length of {trained}; give a longer one")
    if name == "plain":
        return unchanged
    if name == "clamp":
        return lambda layer, encoding: Clamped(encoding, trained)
    if name == "mask":
        return lambda layer, encoding: SlidingWindow(encoding, trained)
    if name == "mask-sink":
        return lambda layer, encoding: OpeningKeys(SlidingWindow(encoding, trained), encoding, OPENING)
    if name == "length-corrected":
        return lambda layer, encoding: LengthCorrected(encoding, trained)
    if name == "yarn":
        return _with_frequencies(extended)
    added = shift(name, curves, length, seed=seed, constant=constant)

    def change(layer: int, encoding: Encoding) -> Encoding:
        inner = Clamped(encoding, trained) if name in CLAMPED else encoding
        shifted = Shifted(inner, added[layer])
        if name.endswith("-but-sink"):
            return OpeningKeys(shifted, encoding, OPENING)
        return OpeningKeys(encoding, shifted, OPENING) if name == "hold-sink-only" else shifted

    return change


def _with_frequencies(extended: Frequencies | None) -> Change:
    if extended is None:
        raise InputError("yarn needs the extended frequencies; give them as `extended`")

    def change(layer: int, encoding: Encoding) -> Encoding:
        if isinstance(encoding, SlidingWindow):
            return SlidingWindow(change(layer, encoding.encoding), encoding.window)
        if not isinstance(encoding, Rope):
            raise InputError(f"yarn: {type(encoding).__name__} has no frequencies; give a model of RoPE")
        return Rope(extended, encoding.scale)

    return change


def shift(
    name: str, curves: Curves, length: int, *, seed: int = 0, constant: float | HeadValues | None = None
) -> Float[Tensor, "layers heads length"]:
    """What an intervention adds to the scores at distances 0 .. length - 1; for those that add something.

    Args and errors: as `intervention`.
    """
    taken = _taken(name, curves, length, seed, constant)
    far = np.arange(length) >= curves.trained_length
    acts = ~far if name == "hold-within" else far
    return torch.from_numpy(np.where(acts, -taken, 0.0)).float()


def _taken(
    name: str, curves: Curves, length: int, seed: int, constant: float | HeadValues | None
) -> HeadCurves:
    """What is taken off the scores, at all distances."""
    far = np.arange(length) >= curves.trained_length
    rng = np.random.default_rng(seed)
    if name == "constant" or name in MATCHED or name in MATCHED_HEADS:
        if name == "constant" and constant is None:
            constant = CONSTANT
        if constant is None:
            raise InputError(f"{name} needs its constant; find it with `match_dose` or `match_heads`")
        taken = -np.asarray(constant) * curves.spread
        return np.broadcast_to(taken[..., None], (*curves.spread.shape, length))
    match name:
        case "subtract":
            curves.departure(length)  # refuses what is not known
            return curves.mean[..., :length]
        case "clamp-departure":
            return -curves.departure(length)
        case name if name in PREDICTED:
            return curves.departure(length, _predicted(name, curves))
        case "swapped":
            flat = (curves.departure(length) / curves.spread[..., None]).reshape(-1, length)
            other = flat[derangement(len(flat), rng)].reshape(*curves.spread.shape, length)
            return other * curves.spread[..., None]
    departure = curves.departure(length)
    match name:
        case "shuffled":
            order = np.arange(length)
            order[far] = rng.permutation(order[far])
            return departure[..., order]
        case "hold-average":
            return np.broadcast_to(departure[..., far].mean(axis=-1, keepdims=True), departure.shape)
        case "hold-rebound-heads" | "hold-random-heads":
            chosen = rebounding(curves, length)
            if name == "hold-random-heads":
                chosen = others(chosen, rng)
            return departure * chosen[..., None]
    return departure


def _predicted(name: str, curves: Curves) -> HeadCurves:
    if curves.predicted is None or curves.fast is None:
        raise InputError(f"{name} needs a predicted mean, which only heads that rotate have; leave it out")
    slow = curves.predicted - curves.fast
    return {"hold-predicted": curves.predicted, "hold-fast": curves.fast, "hold-slow": slow}[name]


def derangement(count: int, rng: np.random.Generator) -> Int[np.ndarray, " count"]:
    """A permutation that leaves nothing in its place: one cycle through all (Sattolo 1986).

    Raises:
        InputError: fewer than two.
    """
    check_whole("heads to swap", count, 2)
    order = np.arange(count)
    for last in range(count - 1, 0, -1):
        other = rng.integers(last)
        order[[last, other]] = order[[other, last]]
    return order


def rebounding(curves: Curves, length: int) -> Bool[np.ndarray, "layers heads"]:
    """The quarter of the heads with the largest rebound, at least one."""
    rebound = curves.rebound(length)
    count = max(1, round(REBOUND_SHARE * rebound.size))
    chosen = np.zeros(rebound.size, dtype=bool)
    chosen[np.argsort(rebound, axis=None)[-count:]] = True
    return chosen.reshape(rebound.shape)


def others(
    chosen: Bool[np.ndarray, "layers heads"], rng: np.random.Generator
) -> Bool[np.ndarray, "layers heads"]:
    """As many heads that are not chosen, drawn without replacement."""
    rest = np.flatnonzero(~chosen)
    drawn = np.zeros(chosen.size, dtype=bool)
    drawn[rng.choice(rest, min(int(chosen.sum()), len(rest)), replace=False)] = True
    return drawn.reshape(chosen.shape)


# The dose: where the attention goes.


@dataclass(slots=True)
class Doses:
    """Attention of some queries, as a mean over all heads of all layers that were added.

    Attributes:
        trained_length: L.
        far: mass on keys L or more tokens away, of each query.
        opening: mass on the first `OPENING` keys of the text.
        entropy: of the weights, nats.
        heads: that were added.
    """

    trained_length: int
    far: Float64[Tensor, " queries"] | None = None
    opening: Float64[Tensor, " queries"] | None = None
    entropy: Float64[Tensor, " queries"] | None = None
    heads: int = 0

    def add(
        self,
        encoding: Encoding,
        q: Float[Tensor, "heads queries head_dim"],
        k: Float[Tensor, "heads keys head_dim"],
        query_positions: Int[Tensor, " queries"],
        key_positions: Int[Tensor, " keys"],
    ) -> None:
        """One layer: the same queries in every call, with all the keys that they may read."""
        found = dose(encoding, q, k, query_positions, key_positions, self.trained_length).sum(dim=1)
        names = ("far", "opening", "entropy")
        for name, values in zip(names, found, strict=True):
            mean = getattr(self, name)
            before = 0.0 if mean is None else mean * self.heads
            setattr(self, name, (before + values) / (self.heads + q.shape[0]))
        self.heads += q.shape[0]


def dose(
    encoding: Encoding,
    q: Float[Tensor, "heads queries head_dim"],
    k: Float[Tensor, "heads keys head_dim"],
    query_positions: Int[Tensor, " queries"],
    key_positions: Int[Tensor, " keys"],
    trained_length: int,
) -> Float64[Tensor, "3 heads queries"]:
    """Far mass, mass on the first keys, and entropy (nats) of each query's attention, from the scores themselves.

    >>> from analysis.encodings import Nope
    >>> q, k = torch.ones(1, 1, 4), torch.zeros(1, 8, 4)  # one query at position 7 weighs its 8 keys alike
    >>> dose(Nope(4), q, k, torch.tensor([7]), torch.arange(8), 6)[:, 0, 0]
    tensor([0.2500, 0.5000, 2.0794], dtype=torch.float64)
    """
    scores = encoding.scores(q, k, query_positions, key_positions).double()
    weights = scores.masked_fill(query_positions[:, None] < key_positions, -math.inf).softmax(dim=-1)
    return dose_of_weights(weights, query_positions, key_positions, trained_length)


def dose_of_weights(
    weights: Float64[Tensor, "*heads queries keys"],
    query_positions: Int[Tensor, " queries"],
    key_positions: Int[Tensor, " keys"],
    trained_length: int,
) -> Float64[Tensor, "3 *heads queries"]:
    """`dose` of attention weights that are known."""
    near = query_positions[:, None] - key_positions < trained_length
    return torch.stack(
        [
            weights.masked_fill(near, 0.0).sum(dim=-1),
            weights[..., key_positions < OPENING].sum(dim=-1),
            -torch.xlogy(weights, weights).sum(dim=-1),
        ]
    )


def match_dose(
    mass: Callable[[float], float], target: float, *, tolerance: float = 0.002, limit: float = 64.0
) -> tuple[float, float]:
    """The constant at which a mass that grows with it is the target, and the mass there.

    Brackets outwards from 0 in steps that double, then false position with halved weights (Illinois): few
    evaluations, because each of them reads documents.

    Args:
        mass: of a constant in sd.
        target: mass that is wanted.
        tolerance: of the mass.
        limit: of the constant's size.

    Raises:
        InputError: no constant of at most `limit` has the mass.

    >>> constant, found = match_dose(lambda a: 1 / (1 + math.exp(-a)), 0.1)
    >>> round(constant, 1), round(found, 2)
    (-2.2, 0.1)
    """
    ends, step = [(0.0, mass(0.0) - target)], 1.0
    while ends[-1][1] * ends[0][1] > 0 and abs(ends[-1][1]) > tolerance:
        if step > limit:
            raise InputError(f"no constant of at most {limit:g} sd has the far mass {target:.3g}")
        at = -math.copysign(step, ends[0][1])
        ends.append((at, mass(at) - target))
        step *= 2
    (a, f), (b, g) = ends[-2:] if len(ends) > 1 else (ends[0], ends[0])
    while abs(g) > tolerance:
        at = b - g * (b - a) / (g - f)
        found = mass(at) - target
        a, f = (b, g) if found * g < 0 else (a, f / 2)
        b, g = at, found
    return b, target + g


ROUNDS = 10
LEAST = 1e-4  # far mass: less is as good as none
MOST_GAIN = 4.0


def match_heads(
    masses: Callable[[HeadValues], HeadValues], target: HeadValues, spread: HeadValues, *, tolerance: float
) -> HeadValues:
    """A constant for each head, in sd, with which it has the far mass that is wanted of it.

    One number added to all far scores of a query moves the log odds of its far mass by as much. Each round adds the
    difference of log odds, times how much was added in the round before for each of log odds gained, because queries
    differ; heads of later layers settle after those that they read from. Rounds end once no head is off by more than
    the tolerance, or after `ROUNDS`: what is left shows in the doses that are measured then.

    >>> odds = np.array([[-1.0, 2.0]])  # of two heads, whose sd is 2
    >>> masses = lambda constant: 1 / (1 + np.exp(-odds - 2 * constant))
    >>> match_heads(masses, np.full((1, 2), 0.5), np.full((1, 2), 2.0), tolerance=1e-6).round(6).tolist()
    [[0.5, -1.0]]

    Args:
        masses: far mass of each head, of constants in sd.
        target: that is wanted.
        spread: sd of each head.
        tolerance: of the mass of a head.
    """
    constant, step = np.zeros_like(spread), np.zeros_like(spread)
    before, gain = None, np.ones_like(spread)
    for _ in range(ROUNDS):
        found = masses(constant)
        if np.abs(found - target).max() <= tolerance:
            break
        odds = _log_odds(found)
        if before is not None:
            moved = np.where(odds == before, np.inf, odds - before)
            gain = (step / moved).clip(1.0, MOST_GAIN)
        before, step = odds, gain * (_log_odds(target) - odds)
        constant = constant + step / spread
    return constant


def _log_odds(mass: HeadValues) -> HeadValues:
    inside = mass.clip(LEAST, 1 - LEAST)
    return np.log(inside / (1 - inside))


# Curves of heads that rotate, from captured queries and keys.


@dataclass(slots=True)
class CurveSums:
    """Adds up captured windows, all of one length, to the `Curves` of a model.

    The first `OPENING` keys are left out, and the first queries of the prediction: trained heads park attention there.

    Attributes:
        trained_length: L.
        reach: distances of the curves; windows are longer by `OPENING` tokens at least.
        layers: sums of each.
    """

    trained_length: int
    reach: int
    layers: dict[int, _LayerSums] = field(default_factory=dict)

    def add(self, found: LayerCapture) -> None:
        """One layer of some windows; a `capture.Consumer`.

        Raises:
            InputError: windows too short, or a layer that caps its scores.
        """
        found = found.on_cpu()
        length = found.q.shape[2]
        if length < self.reach + OPENING:
            raise InputError(f"windows of {length} tokens are too short; give {self.reach + OPENING} or more")
        if found.softcap is not None:
            raise InputError(f"layer {found.layer} caps its scores; their mean is not what the cap leaves")
        sums = self.layers.setdefault(found.layer, _LayerSums(found.frequencies, found.scale))
        group, within = found.q.shape[1] // found.k.shape[1], slice(0, self.trained_length)
        for q, keys in zip(found.q, found.k, strict=True):
            k = keys.clone()
            k[:, :OPENING] = 0.0
            served = k.repeat_interleave(group, dim=0)
            sums.windows += 1
            sums.mean = sums.mean + _mean(q, served, sums)[:, : self.reach]
            sums.within = sums.within + _mean(q[:, within], served[:, within], sums)
            sums.square = sums.square + _mean_square(q[:, within], k[:, within], sums)
            zq, zk = (complex_pairs(x[:, OPENING : self.trained_length], sums.frequencies) for x in (q, keys))
            sums.query = sums.query + zq.to(torch.complex128).mean(dim=-1)
            sums.key = sums.key + zk.to(torch.complex128).mean(dim=-1)

    def curves(self) -> Curves:
        """Of all that was added.

        Raises:
            InputError: nothing was.
        """
        if not self.layers:
            raise InputError("no window was measured; give one or more")
        layers = [self.layers[layer] for layer in sorted(self.layers)]
        counts = pair_counts(self.trained_length, dropped=OPENING)
        mean, spread, predicted, fast = [], [], [], []
        for sums in layers:
            mean.append(sums.mean / sums.windows)
            first = (sums.within.nan_to_num() * counts).sum(dim=-1) / counts.sum() / sums.windows
            spread.append((sums.square / sums.windows - first**2).sqrt())
            whole, part = sums.predicted(self.trained_length, self.reach)
            predicted.append(whole)
            fast.append(part)
        found = [torch.stack(x).numpy() for x in (mean, spread, predicted, fast)]
        return Curves(found[0], found[1], self.trained_length, found[2], found[3])


@dataclass(slots=True)
class _LayerSums:
    """Sums over windows of one layer; numbers until something is added."""

    frequencies: Frequencies
    scale: float
    windows: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    within: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    square: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64))
    query: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.complex128))
    key: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.complex128))

    def predicted(self, trained_length: int, reach: int) -> tuple[Tensor, Tensor]:
        """Mean score by distance from the mean query and key, and the fast pairs' part of it."""
        query, key = self.query / self.windows, self.key / self.windows
        return predicted_curves(query, key, self.frequencies, self.scale, trained_length, reach)


def predicted_curves(
    query: Complex128[Tensor, "heads pairs"],
    key: Complex128[Tensor, "key_heads pairs"],
    frequencies: Frequencies,
    scale: float,
    trained_length: int,
    reach: int,
) -> tuple[Float64[Tensor, "heads reach"], Float64[Tensor, "heads reach"]]:
    """Mean score at distances 0 .. reach - 1 in closed form (eq 3 and 5 of the paper, v1, one mean for each pair).

    Args:
        query, key: means of one layer's heads as complex pairs, rotated ones first.
        frequencies: of the layer.
        scale: of its scores, the attention factor aside.
        trained_length: L.
        reach: distances.

    Returns:
        scale sum_d Re[query_d conj(key_d) exp(i D omega_d)], and its part of the pairs that turn once or more within L.
    """
    product = query * key.conj().repeat_interleave(len(query) // len(key), dim=0)
    table = rotation_table(frequencies, reach, product.shape[1], product.dtype)
    omega = np.zeros(product.shape[1])  # pairs that do not rotate come last
    omega[: len(frequencies.omega)] = frequencies.omega
    turning = torch.from_numpy(omega * trained_length >= 2 * math.pi)
    return scale * (product @ table).real, scale * ((product * turning) @ table).real


def _mean(q: Tensor, k: Tensor, sums: _LayerSums) -> Float64[Tensor, "heads length"]:
    """Mean score over pairs at each distance, the first keys left out; nan where only those are."""
    length = q.shape[1]
    found = mean_score(q, k, sums.frequencies, scale=sums.scale).double()
    return found * pair_counts(length) / pair_counts(length, dropped=OPENING)


def _mean_square(q: Tensor, k: Tensor, sums: _LayerSums) -> Float64[Tensor, " heads"]:
    """Mean squared score over all pairs of a window, the first keys left out."""
    length, heads = q.shape[1], k.shape[0]
    zq, zk = (complex_pairs(x, sums.frequencies) for x in (q, k))
    table = rotation_table(sums.frequencies, length, zq.shape[-2], zq.dtype)
    square = causal_square_sum((zq * table).unflatten(0, (heads, -1)), zk * table)
    return sums.scale**2 * square.flatten() / pair_counts(length, dropped=OPENING).sum()
