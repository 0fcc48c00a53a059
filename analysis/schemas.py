"""Every kind of record: its name, its version and the command that makes it."""

from __future__ import annotations

from analysis.records import Schema

CLAIMS = Schema("claims", 1, made_by="tapa figures claims")
CLOSED_FORM = Schema("closed-form", 1, made_by="tapa figures bias_by_base")
FAMILY = Schema("rope-family", 1, made_by="tapa figures rope_family")
PRECISION = Schema("score-precision", 1, made_by="tapa figures precision")
RIVALS = Schema("rivals", 1, made_by="tapa figures encodings_compared")
RIVALS_SUMMARY = Schema("rivals-summary", 1, made_by="tapa figures")
TAPA_MAP = Schema("tapa-map", 1, made_by="tapa figures tapa_map")
TAPA_MEAN = Schema("tapa-mean", 1, made_by="tapa figures tapa_mean")
TAPA_VARIANCE = Schema("tapa-variance", 1, made_by="tapa figures tapa_variance")
RANDOM_HEADS = Schema("untrained-heads", 1, made_by="tapa figures random_heads")
NEAR_FAR = Schema("untrained-gaps", 1, made_by="tapa figures near_far_untrained")
TRAINED_GAPS = Schema("trained-gaps", 1, made_by="tapa figures near_far_trained")
DISTANCE_BIAS = Schema("distance-bias", 2, made_by="tapa measure MODEL --text FILE")
DISTANCE_BIAS_SUMMARY = Schema(
    "distance-bias-summary", 1, made_by="tapa measure MODEL --text FILE --summary SUMMARY"
)
VERDICTS = Schema("assumption-verdicts", 1, made_by="tapa figures assumption_tests")
PHASE = Schema("phase", 2, made_by="tapa phase MODEL")
PHASE_DYNAMICS = Schema("phase-dynamics", 1, made_by="tapa phase-dynamics")
PHASE_SUMMARY = Schema("phase-summary", 1, made_by="tapa figures")
RESULTS = Schema("extrapolation-results", 1, made_by="tapa figures perplexity_by_length")
BIAS = Schema("bias-runs", 1, made_by="tapa bias RUNS")
EVALUATION = Schema("evaluation", 1, made_by="tapa evaluate MODEL")
