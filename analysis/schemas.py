"""Every kind of record: its name, its version, the command that makes it, and what each of its variables is.

A record of arrays takes the units and long names of its variables from here when it is written and, where its file
has none, when it is read. Scores are before soft-cap, mask and softmax; "1" is the unit of a plain number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import xarray as xr

from analysis import records
from analysis.errors import InputError
from analysis.records import Schema

Described = Mapping[str, tuple[str, str]]  # units and long name of each variable
ENDS = {"low": "lower end", "high": "upper end"}


def _with_errors(variables: Described, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """These variables, and the standard error NAME_se of the named ones."""
    errors = {f"{name}_se": (variables[name][0], f"standard error: {variables[name][1]}") for name in names}
    return dict(variables) | errors


def _with_ends(variables: Described, names: Iterable[str], over: str) -> dict[str, tuple[str, str]]:
    """These variables, and the ends NAME_low and NAME_high of the named ones' 95 % intervals."""
    ends = {
        f"{name}_{end}": (
            variables[name][0],
            f"{words} of the 95 % interval over {over}: {variables[name][1]}",
        )
        for name in names
        for end, words in ENDS.items()
    }
    return dict(variables) | ends


_DISTANCE = {"distance": ("token", "distance of query and key, position of the query less that of the key")}
_SAMPLED = {"sampled": ("token", "distance at which Monte Carlo estimates")}
_HEADS = {"layer": ("1", "layer, from 0"), "head": ("1", "query head of the layer, from 0")}
_INITIALISATIONS = {
    "initialisation": ("1", "how all weights of the model are drawn"),
    "rival": ("1", "encoding"),
}
_READING = {
    "reading": ("1", "what is drawn from the intervals: distances of pairs, or positions of both tokens")
}

CLAIMS = Schema("claims", 1, made_by="tapa figures claims")
CLOSED_FORM = Schema(
    "closed-form", 1, made_by="tapa figures bias_by_base",
    variables=_DISTANCE | {
        "base": ("1", "base of the rotary frequencies"),
        "cos_sum": ("1", "C_D, mean over pairs of cos(omega_d distance)"),
        "sin_sum": ("1", "S_D, mean over pairs of sin(omega_d distance)"),
        "cos_limit": ("1", "limit of C_D for many pairs"),
        "sin_limit": ("1", "limit of S_D for many pairs"),
    },
)  # fmt: skip
FAMILY = Schema(
    "rope-family", 1, made_by="tapa figures rope_family",
    variables=_DISTANCE | {
        "scheme": ("1", "RoPE extension"),
        "gamma": ("1", "expected score over sqrt(D) for mu_0 = 1, nu_0 = 0"),
        "attention_factor": ("1", "factor of queries and of keys"),
    },
)  # fmt: skip
PRECISION = Schema(
    "score-precision", 1, made_by="tapa figures precision",
    variables=_DISTANCE | {
        "dtype": ("1", "floating-point type of the vectors"),
        "phases_in": ("1", "type that phases and powers of the distance are computed in"),
        "phase_sd": ("turn", "standard deviation of the phase at distance 1"),
        "error": ("1", "root mean square error of the score over root mean square score"),
        "lost": ("1", "share of scores that are not finite"),
    },
)  # fmt: skip
RIVALS = Schema(
    "rivals", 1, made_by="tapa figures encodings_compared",
    variables=_with_errors(
        _DISTANCE | _SAMPLED | {
            "rival": ("1", "encoding"),
            "mu": ("1", "mu_0 of the law of queries and keys"),
            "mean": ("1", "mean score, closed form"),
            "sd": ("1", "standard deviation of the score, closed form"),
            "estimate": ("1", "mean score, Monte Carlo"),
            "sd_estimate": ("1", "standard deviation of the score, Monte Carlo"),
        },
        ("estimate", "sd_estimate"),
    ),
)  # fmt: skip
RIVALS_SUMMARY = Schema("rivals-summary", 1, made_by="tapa figures")
TAPA_MAP = Schema(
    "tapa-map", 1, made_by="tapa figures tapa_map",
    variables={
        "alpha": ("1", "exponent of the distance in TAPA's phase"),
        "phase_sd": ("turn", "standard deviation of the phase at distance 1"),
        "near": ("1", "share of the mean score that is left at distance 1"),
        "far": ("1", "share of the mean score that is left at the end of the context"),
        "mark": ("1", "usual initialisation"),
        "mark_sd": ("turn", "standard deviation of the phase at distance 1 for a usual initialisation"),
        "mark_near": ("1", "share left at distance 1 for a usual initialisation at the paper's alpha"),
        "mark_far": ("1", "share left at the end of the context for it"),
    },
)  # fmt: skip
TAPA_MEAN = Schema(
    "tapa-mean", 1, made_by="tapa figures tapa_mean",
    variables=_with_errors(
        _DISTANCE | _SAMPLED | {
            "phase_sd": ("turn", "standard deviation of the phase at distance 1"),
            "estimator": ("1", "Monte Carlo method"),
            "log_mean": ("1", "natural logarithm of the mean score over that at distance 0"),
            "log_bound": ("1", "natural logarithm of eq 14's bound over the mean score at distance 0"),
            "exponent": ("1", "local exponent, d log mean / d log distance"),
            "estimate": ("1", "mean score over that at distance 0, Monte Carlo"),
            "trusted": ("1", "whether no rare draw decides the estimate"),
        },
        ("estimate",),
    ),
)  # fmt: skip
TAPA_VARIANCE = Schema(
    "tapa-variance", 1, made_by="tapa figures tapa_variance",
    variables=_with_errors(
        _DISTANCE | _SAMPLED | {
            "law": ("1", "law of queries and keys"),
            "phase_sd": ("turn", "standard deviation of the phase at distance 1 under the normal law"),
            "exact": ("1", "variance of the score over eq 15's bound, closed form"),
            "estimate": ("1", "variance of the score over eq 15's bound, Monte Carlo"),
            "by_phase": ("1", "variance of the score over eq 15's bound under the normal law"),
        },
        ("estimate",),
    ),
)  # fmt: skip
RANDOM_HEADS = Schema(
    "untrained-heads", 1, made_by="tapa figures random_heads",
    variables=_DISTANCE | _INITIALISATIONS | {
        "quantile": ("1", "probability of a quantile over random heads"),
        "band": ("1", "quantile over heads of the mean score over pairs of tokens, over its unit"),
        "weights_mean": ("1", "mean score over random weights, last token with those before it, over its unit"),
        "weights_se": ("1", "standard error: mean score over random weights"),
        "score": ("1", "mean score of single heads over pairs of tokens, over its unit"),
        "phase_mean": ("turn", "mean phase at distance 1 over all pairs of tokens"),
        "phase_sd": ("turn", "standard deviation of the phase at distance 1 over all pairs of tokens"),
        "unit": ("1", "standard deviation over weights of a score at distance 0"),
    },
)  # fmt: skip
NEAR_FAR = Schema(
    "untrained-gaps", 1, made_by="tapa figures near_far_untrained",
    variables=_with_errors(
        _INITIALISATIONS | _READING | {
            "bound": ("1", "end of a 95 % interval"),
            "mean": ("1", "mean of near less far scores of a random head"),
            "sd": ("1", "standard deviation of near less far scores of a random head"),
            "mean_interval": ("1", "ends of the 95 % interval of the mean, Student's t"),
            "sd_interval": ("1", "ends of the 95 % interval of the standard deviation, bootstrap"),
            "expected": ("1", "mean over random heads of near less far scores"),
            "paper_mean": ("1", "mean that the paper reports"),
            "paper_sd": ("1", "standard deviation that the paper reports"),
        },
        ("expected",),
    ),
)  # fmt: skip
TRAINED_GAPS = Schema(
    "trained-gaps", 3, made_by="tapa figures near_far_trained",
    variables=_with_ends(_HEADS | _READING | {
        "checkpoint": ("1", "committed model"),
        "label": ("1", "name of the model in figures"),
        "method": ("1", "encoding of the model"),
        "trained_length": ("token", "context length of the training"),
        "reach": ("token", "far end of the far interval"),
        "near_last": ("token", "last of the near interval, which begins at 0"),
        "far_first": ("token", "first of the far interval"),
        "windows": ("1", "windows of text"),
        "documents": ("1", "documents that the windows are from"),
        "mean": ("1", "mean of near less far scores"),
        "low": ("1", "lower end of the 95 % interval of the mean over documents"),
        "high": ("1", "upper end of the 95 % interval of the mean over documents"),
        "sd": ("1", "standard deviation of near less far scores"),
        "above": ("1", "share of the windows whose mean difference is above 0"),
        "t_p": ("1", "p-value of the two-sided t-test over documents"),
        "t_p_holm": ("1", "p-value of that t-test, adjusted over all heads of a model (Holm 1979)"),
        "drift": ("1", "mean of near less far scores of the same pairs, all of them one token apart"),
        "due": ("1", "mean of near less far scores that distance adds to the drift"),
        "due_above": ("1", "share of the windows in which distance adds to near less far"),
        "due_t_p": ("1", "p-value of the two-sided t-test over documents of what distance adds"),
        "due_t_p_holm": ("1", "p-value of that t-test, adjusted over all heads of a model (Holm 1979)"),
        "share": ("1", "share of the differences of all heads in a bin of their histogram"),
        "gap_edge": ("1", "edges of the histogram of near less far scores"),
        "paper_mean": ("1", "mean that the paper reports of a model of this method"),
        "paper_sd": ("1", "standard deviation that the paper reports of a model of this method"),
    }, ("drift", "due"), "documents"),
)  # fmt: skip

_CURVES = {
    "measured": ("1", "mean score over all pairs of tokens at a distance"),
    "bias": ("1", "score of the mean query and the mean key"),
    "drift": ("1", "what means that depend on position add to the score"),
    "content": ("1", "mean score less the bias"),
    "paper": ("1", "bias with the means of all pairs made equal (Assumption 2.1)"),
    "shuffled": ("1", "mean score with the order of queries and of keys shuffled"),
    "control_gap": ("1", "shuffled mean score less the bias; its expectation is 0"),
}
_SHARES = {
    "share_bias": ("1", "share of the mean score's variance over distance that the bias explains"),
    "share_content": ("1", "share of the mean score's variance over distance that content explains"),
    "r2_bias": ("1", "R^2 over distance of the bias as prediction of the mean score"),
    "r2_paper": ("1", "R^2 over distance of the prediction of Assumption 2.1"),
    "distance_share": ("1", "share of the score's variance that distance alone decides"),
}
_PAIRS = {
    "mu": ("1", "E A_d, mean of the pair's inner product"),
    "nu": ("1", "E B_d, mean of the pair's cross product"),
}
DISTANCE_BIAS = Schema(
    "distance-bias", 2, made_by="tapa measure MODEL --text FILE",
    variables=_with_errors(
        _DISTANCE | _HEADS | _CURVES | _SHARES | _PAIRS | {
            "sd_a": ("1", "standard deviation of A_d over pairs of tokens"),
            "sd_b": ("1", "standard deviation of B_d over pairs of tokens"),
            "mu_window": ("1", "E A_d in each window"),
            "nu_window": ("1", "E B_d in each window"),
            "q_real": ("1", "mean query of a pair before rotation, first dimension"),
            "q_imag": ("1", "mean query of a pair before rotation, second dimension"),
            "q_size": ("1", "mean size of a query's pair, E |q_d|"),
            "mu_pair_mean": ("1", "mean of E A_d over pairs of dimensions"),
            "mu_pair_sd": ("1", "standard deviation of E A_d over pairs of dimensions, without noise"),
            "nu_pair_mean": ("1", "mean of E B_d over pairs of dimensions"),
            "nu_pair_sd": ("1", "standard deviation of E B_d over pairs of dimensions, without noise"),
            "score_sd": ("1", "standard deviation of the score over pairs of tokens"),
            "omega": ("rad/token", "angular frequency of a pair of dimensions"),
            "rope_type": ("1", "rope type of a layer, as transformers names it"),
            "pairing": ("1", "dimensions that rotate together: halves of the head, or neighbours"),
            "head_dim": ("1", "dimension of a head"),
            "attention_factor": ("1", "factor of rotated queries and of rotated keys"),
            "scale": ("1", "factor of the inner product of query and key"),
            "softcap": ("1", "soft-cap of scores; nan without one"),
            "sliding_window": ("token", "tokens that a query attends to; nan for all"),
            "first_token": ("1", "whether the window's first token counts"),
            "weighting": ("1", "weights of the distances: all alike, or alike in the logarithm"),
            "part": ("1", "positions of the window that are averaged over"),
            "pair": ("1", "pair of dimensions that rotates, from 0"),
            "window": ("1", "window of text, from 0"),
            "window_document": ("1", "document that a window is from"),
            "window_offset": ("token", "first token of a window in its document"),
            "telling": ("1", "example head, from 0"),
            "telling_layer": ("1", "layer of an example head"),
            "telling_head": ("1", "example head in its layer"),
            "telling_why": ("1", "what it is an example of"),
        },
        (*_CURVES, *_SHARES, *_PAIRS),
    ),
)  # fmt: skip
DISTANCE_BIAS_SUMMARY = Schema(
    "distance-bias-summary", 1, made_by="tapa measure MODEL --text FILE --summary SUMMARY"
)
FORMULA_FIT = Schema(
    "formula-fit", 1, made_by="tapa formula MODEL",
    variables=_with_ends(
        {
            "shape": ("1", "shape of the mean score over distance"),
            "free": ("1", "coefficients of the shape that are fitted, the intercept not counted"),
            "intercept": ("1", "whether an intercept is fitted, and whether R^2 counts the level"),
            "weighting": ("1", "weights of the distances: all alike, or alike in the logarithm"),
            "trained_on": ("1", "what a shape is fitted on before it is scored on a text"),
            "statistic": ("1", "number that is compared between texts"),
            "model": ("1", "model, as tables and figures call it"),
            "row": ("1", "head of any model, from 0"),
            "row_model": ("1", "model of a head"),
            **_HEADS,
            "document": ("1", "document of a model, from 0"),
            "document_name": ("1", "document that shapes are scored on"),
            "windows_each": ("1", "windows of each document"),
            "window_length": ("token", "length of a window"),
            "r2": ("1", "R^2 over distance of a head, all documents together, noise of windows taken out"),
            "r2_se": ("1", "standard error over documents: R^2 over distance of a head"),
            "r2_by_document": ("1", "median over heads of R^2 on a document"),
            "r2_median": ("1", "median over heads of R^2 on a document, mean over documents"),
            "r2_median_window_low": ("1", "lower end of the 95 % interval over windows of these documents"),
            "r2_median_window_high": ("1", "upper end of the 95 % interval over windows of these documents"),
            "difference": ("1", "median over heads of R^2 less that of one fitted mu_0, mean over documents"),
            "heads_above": ("1", "share of heads with a higher R^2 than one fitted mu_0 gives"),
            "mu_fitted": ("1", "mu_0 fitted to a head's mean score, in the scale of the score"),
            "mu_plug_in": ("1", "mean of E A_d over pairs of dimensions, in the scale of the score"),
            "log_slope": ("1", "slope of the mean score against ln(distance)"),
            "log_slope_se": ("1", "standard error over documents: slope of the mean score against ln(distance)"),
            "texts_differ": ("1", "share of heads that differ by over two combined standard errors between texts"),
            "texts_differ_by_chance": ("1", "the same share if texts do not differ, Student's t"),
            "error_ratio": ("1", "median over heads of the spread over documents, over the error over windows"),
        },
        ("r2_median", "difference", "texts_differ"),
        "documents",
    ),
)  # fmt: skip
FORMULA_SHAPES = Schema("formula-shapes", 1, made_by="tapa figures mean_score_shapes")
VERDICTS = Schema(
    "assumption-verdicts", 1, made_by="tapa figures assumption_tests",
    variables=_HEADS | {
        "question": ("1", "what the mean should be the same for: pairs, positions or heads"),
        "kind": ("1", "A_d or B_d"),
        "model": ("1", "model"),
        "label": ("1", "name of the model in figures"),
        "statistic": ("1", "F of repeated measures, lower bound of its degrees of freedom"),
        "p": ("1", "p-value of the test"),
        "p_holm": ("1", "p-value, adjusted over all tests of a question (Holm 1979)"),
        "share": ("1", "share of the mean square that is not constant"),
        "share_se": ("1", "standard error: share of the mean square that is not constant"),
        "sd_ratio": ("1", "standard deviation of what should be constant over root mean square of what is"),
    },
)  # fmt: skip

_PHASE_CURVES = {
    "amplitude": ("1", "mean amplitude of the score"),
    "cosine": ("1", "mean cosine of the phase"),
    "score": ("1", "mean score"),
    "product": ("1", "mean amplitude times mean cosine"),
    "covariance": ("1", "covariance of amplitude and cosine"),
    "gaussian": ("1", "mean score of normal tokens with the same moments, closed form"),
    "turns_sd": ("turn", "standard deviation of the phase at this distance"),
    "past_quarter": ("1", "share of pairs whose phase is a quarter turn or more from 0"),
}
_PHASE = _with_ends(
    _with_errors(
        _DISTANCE | _HEADS | _PHASE_CURVES | {
            "step": ("1", "step between neighbouring octaves of distance"),
            "octave": ("token", "first distance of an octave"),
            "seen": ("token", "first number of tokens that a query sees, by octaves"),
            "quantile": ("1", "probability of a quantile of the phase"),
            "edge": ("1", "edge of a bin of the phase's histogram, from 0"),
            "bin": ("1", "bin of the phase's histogram, from 0"),
            "cosine_sd": ("1", "standard deviation of the cosine over pairs of tokens"),
            "gaussian_share": ("1", "share of the mean score's variance over distance that normal tokens explain"),
            "exponent_seen": ("1", "slope of log |mean score| against log distance between octaves"),
            "exponent_gaussian": ("1", "local exponent of normal tokens' mean score"),
            "exponent_paper": ("1", "exponent of eq 14's bound; nan for a phase that is not quadratic"),
            "score_spread": ("1", "standard deviation of the score over pairs of tokens"),
            "variance_kept": ("1", "variance of the score over half the mean squared amplitude; eq 15 says 1 or more"),
            "turns": ("turn", "mean phase at this distance"),
            "past_quarter_all": ("1", "share of all pairs whose phase is a quarter turn or more from 0"),
            "phase_mean": ("turn", "mean phase at distance 1"),
            "phase_sd": ("turn", "standard deviation of the phase at distance 1"),
            "phase_quantile": ("turn", "quantile of the phase at distance 1"),
            "phase_edge": ("turn", "edges of the histogram of the phase at distance 1"),
            "phase_share": ("1", "share of pairs in a bin of the phase's histogram"),
            "amplitude_sd": ("1", "standard deviation of the amplitude over pairs of tokens"),
            "score_sd": ("1", "standard deviation of the score over all pairs of tokens"),
            "nope_index": ("1", "squared correlation of score and amplitude over pairs of tokens"),
            "entropy": ("nat", "entropy of attention, mean over queries"),
            "entropy_by_seen": ("nat", "entropy of attention by tokens seen"),
            "property": ("1", "property of a pair of tokens"),
            "told_by": ("1", "vectors that a probe sees"),
            "effect": ("1", "shift of the phase with a property at equal distance, over its standard deviation"),
            "effect_abs": ("1", "shift of |phase| with a property at equal distance, over its standard deviation"),
            "told": ("1", "accuracy of a probe of the property; chance is 0.5"),
            "ablation": ("1", "part of the score that is taken away in all heads"),
            "head_ablation": ("1", "part of the score that is taken away in one head"),
            "loss": ("nat/token", "loss of the whole model"),
            "change": ("nat/token", "rise of the loss with a part taken away in all heads"),
            "head_change": ("nat/token", "rise of the loss with a part taken away in one head"),
            "head_rank": ("1", "rank of a head by that rise, 1 for the largest"),
        },
        ("cosine", "score", "score_sd", "nope_index", "entropy", "entropy_by_seen", "effect", "effect_abs"),
    ),
    ("loss", "change", "head_change"),
    "documents",
)  # fmt: skip
_PHASE = _with_ends(_PHASE, ("told",), "documents")
PHASE = Schema("phase", 2, made_by="tapa phase MODEL", variables=_PHASE)
PHASE_DYNAMICS = Schema(
    "phase-dynamics", 1, made_by="tapa phase-dynamics",
    variables=_PHASE | {
        f"{name}_by_octave": (units, f"mean over an octave of distance: {words}")
        for name, (units, words) in _PHASE_CURVES.items()
    } | {
        "training_step": ("1", "optimiser steps that the measured model was trained for"),
        "validation_step": ("1", "optimiser steps before a validation loss"),
        "validation_loss": ("nat/token", "loss on validation documents during training"),
    },
)  # fmt: skip
SCORE_VARIANCE = Schema(
    "score-variance", 1, made_by="tapa score-variance MODEL",
    variables=_with_errors(
        _HEADS | {
            "model": ("1", "variant and training seed, or name of a checkpoint of others"),
            "variant": ("1", "what was trained"),
            "label": ("1", "name of the model in figures"),
            "training_seed": ("1", "seed of the training; -1 where it is unknown"),
            "trained_length": ("token", "context length of the training, L"),
            "validation_bits": ("bit/token", "loss at the trained length on validation text; nan: not taken"),
            "bigram_bits": ("bit/token", "loss of a bigram model of the corpus on validation text; nan: not taken"),
            "learned": ("1", "whether the model is better than that by a margin (1 or 0); -1: not known"),
            "key": ("1", "hash of weights and settings"),
            "window_begin": ("1", "token that every window begins with; nothing where the tokenizer puts none"),
            "place_model": ("1", "model of a head"),
            "part": ("1", "part of a score over pairs and distances: distance, pair, interaction"),
            "range": ("1", "distances: within the trained length, 1 to L - 1, or beyond, L to 8 L - 1"),
            "weighting": ("1", "weights of the distances: all alike, or alike in the logarithm"),
            "octave": ("1", "step from distance 2^i to 2^(i + 1), by i"),
            "share": ("1", "share of the variance of the score over pairs and distances"),
            "score_sd": ("1", "standard deviation of the score over pairs and distances"),
            "step": ("1", "change of the mean score over an octave of distance, in its sd within L"),
            "question": ("1", "what the mean amplitude, or phase, of a TAPA head should be the same for"),
            "constancy": ("1", "share of the mean square that is not constant"),
            "constancy_p": ("1", "p-value of the test of constancy"),
            "constancy_p_holm": ("1", "p-value of it, adjusted over all heads of a model (Holm 1979)"),
            "intervention": ("1", "what of all heads' scores is taken away or kept"),
            "multiple": ("1", "evaluated length over trained length"),
            "bits_per_byte": ("bit/byte", "loss of scored bytes"),
            "far_mass": ("1", "share of the weight of scored queries on keys L or more away"),
            "change": ("bit/byte", "loss less that of the model as it is, same targets"),
            "change_low": ("bit/byte", "lower end of the 95 % interval over documents of the change"),
            "change_high": ("bit/byte", "upper end of the 95 % interval over documents of the change"),
        },
        ("share", "step", "constancy"),
    ),
)  # fmt: skip
SCORE_VARIANCE = replace(SCORE_VARIANCE, required=SCORE_VARIANCE.variables.keys() - {"window_begin"})
PHASE_SUMMARY = Schema("phase-summary", 2, made_by="tapa figures")
PHASE_SEEDS = Schema("phase-seeds", 1, made_by="tapa phase-seeds MODELS")
POSITION_CODE = Schema("position-code", 1, made_by="tapa position MODELS")
RESULTS = Schema("extrapolation-results", 2, made_by="tapa figures perplexity_by_length")
LONG = Schema("long-results", 4, made_by="tapa figures frontier")
BIAS = Schema("bias-runs", 1, made_by="tapa bias RUNS")
BIAS_INTERVENTIONS = Schema(
    "bias-interventions", 1, made_by="tapa bias MODEL",
    required=(
        "document", "length", "intervention", "nats", "far", "sink", "entropy", "reference", "trial_matched",
        "trial_constant", "trial_far",
    ),
    variables=_DISTANCE | _HEADS | {
        "document": ("1", "document"),
        "length": ("token", "tokens read before the last scored one"),
        "intervention": ("1", "change of the scores of tokens the trained length or more apart"),
        "role": ("1", "what a document is for: matching constants, or test"),
        "start": ("token", "first token of the window in its document"),
        "nats": ("nat/token", "loss per scored token; nan where not read yet"),
        "reference": ("nat/token", "loss of the same tokens from at most the trained length before them"),
        "again": ("nat/token", "loss per scored token, read once more in another precision; nan where it was not"),
        "precision": ("1", "of the forward pass of a reading; empty where not read yet"),
        "reference_precision": ("1", "of the forward pass of the reference; empty where not read yet"),
        "far": ("1", "attention mass on keys the trained length or more away, mean over heads and sampled queries"),
        "sink": ("1", "attention mass on the first 4 keys, mean over heads and sampled queries"),
        "entropy": ("nat", "entropy of attention, mean over heads and sampled queries"),
        "meaning": ("1", "what an intervention does to these scores"),
        "share": ("1", "recovered share of the loss beyond the reference, over test documents"),
        "share_low": ("1", "lower end of the 95 % interval over documents: recovered share"),
        "share_high": ("1", "upper end of the 95 % interval over documents: recovered share"),
        "mean_far": ("1", "attention mass on keys the trained length or more away, mean over the same documents"),
        "documents": ("1", "test documents that have it and lose enough"),
        "gain": ("1", "recovered share less that of the constant that is matched in far mass"),
        "gain_low": ("1", "lower end of the 95 % interval over documents: difference of recovered shares"),
        "gain_high": ("1", "upper end of the 95 % interval over documents: difference of recovered shares"),
        "gain_far": ("1", "far mass less that of the constant, over test documents"),
        "matched": ("1", "intervention by one constant for all heads"),
        "matched_to": ("1", "intervention whose far mass the constant has"),
        "constant": ("1", "what it adds, in standard deviations of each head's scores; nan where not found yet"),
        "trial": ("1", "constant that was tried, from 0"),
        "trial_matched": ("1", "intervention that a constant was tried for"),
        "trial_length": ("token", "length at which it was tried"),
        "trial_constant": ("1", "constant that was tried, in standard deviations of each head's scores"),
        "trial_far": ("1", "far mass with it, mean over the documents for matching"),
        "departure": ("1", "mean score less its level at the trained length, in standard deviations"),
        "departure_predicted": ("1", "the same of the curve that mean query and key within the trained length predict"),
        "spread": ("1", "standard deviation of the scores of a head within the trained length"),
    },
)  # fmt: skip
KILLS = Schema("kills", 1, made_by="python -m tests.kills --folder NEW")
EVALUATION = Schema(
    "evaluation", 1, made_by="tapa evaluate MODEL",
    variables=_with_ends(
        {
            "extension": ("1", "RoPE extension applied at inference"),
            "length": ("token", "context length"),
            "document": ("1", "document"),
            "nats": ("nat", "loss of what the protocol scores, summed over a document; nan where not read yet"),
            "tokens": ("token", "scored tokens, the same at every length and for every extension"),
            "text_bytes": ("byte", "bytes of their text"),
            "position_nats": ("nat", "loss of all that was read, scored or not, by token position"),
            "position_tokens": ("token", "tokens whose losses were summed there"),
            "perplexity": ("1", "exp of the loss per scored token"),
            "bits_per_byte": ("bit/byte", "loss of scored tokens per byte of their text"),
            "difference": ("nat/token", "loss per token less that of the first extension, same targets"),
            "place": ("token", "tokens read before the predicted one: the first position of a bin"),
            "place_end": ("token", "the last position of a bin"),
            "target_document": ("1", "document of each run of scored tokens"),
            "target_start": ("token", "first scored token, counted from the document's first, 0"),
            "target_stop": ("token", "the token after the last scored one"),
        },
        ("perplexity", "bits_per_byte", "difference"),
        "documents",
    ),
)  # fmt: skip
RECOVERY = Schema(
    "recovery", 1, made_by="tapa recovery MODEL",
    required=("arm", "trained", "length", "document", "nats", "tokens"),
    variables=_with_ends(
        {
            "arm": ("1", "positional encoding that the model is trained on with"),
            "trained": ("token", "tokens that the arm has been trained on"),
            "length": ("token", "tokens of the window that the scored ones end"),
            "document": ("1", "test document"),
            "nats": ("nat", "loss of the scored tokens, summed over a document; nan where not measured yet"),
            "tokens": ("token", "scored tokens, the same for every arm, after any training and at every length"),
            "loss": ("nat/token", "loss per scored token"),
            "excess": ("nat/token", "loss per token less that of continued RoPE after as many tokens"),
            "closed": ("1", "share of the arm's excess before any training that training has closed"),
        },
        ("loss", "excess", "closed"),
        "documents",
    ),
)  # fmt: skip
MUTANTS = Schema("mutants", 2, made_by="python -m proofs.mutants COUNT")
HOSTILE_INPUTS = Schema("hostile-inputs", 1, made_by="python -m tests.hostile COUNT --out RECORD")


def open_record(path: str | Path) -> xr.Dataset:
    """A record of arrays of any kind that this version knows, with units and long names, wholly in memory.

    Raises:
        InputError: there is none, it is damaged, or it is of a kind or version that is not known here.

    >>> import tempfile
    >>> how = {"device": "cpu", "precision": "float64", "threads": 1, "seconds": 0.0}
    >>> made = records.Provenance.collect(["tapa"], {}, seeds={}, **how)
    >>> data = xr.Dataset({"base": 1e4, "cos_sum": ("distance", [0.5, 0.4])}, coords={"distance": [1, 2]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records.write(data, Path(folder, "r.nc"), made, schema=CLOSED_FORM)
    ...     open_record(f"{folder}/r.nc").distance.attrs["units"]
    'token'
    """
    known = {schema.label: schema for schema in globals().values() if isinstance(schema, Schema)}
    label = records.schema_label(Path(path))
    if label not in known:
        raise InputError(
            f"{path} is a {label}, which this version does not know; it knows {', '.join(sorted(known))}"
        )
    return records.read(Path(path), expect_schema=known[label])
