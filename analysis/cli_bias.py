"""What `tapa bias` prints: what heads do beyond the trained length, what goes with the loss, what brings it back."""

from __future__ import annotations

from typing import Any

from analysis.heads.bias_run import OBSERVED

Numbers = dict[str, Any]


def as_text(content: Numbers) -> str:
    """For a reader."""
    rows, summary = content["rows"], content["summary"]
    lines = [f"{'run':30s}{'rise':>8s}" + "".join(f"{name:>15s}" for name in OBSERVED)]
    for name, found in rows.items():
        observed = "".join(f"{_number(found['observed'][key]):>15s}" for key in OBSERVED)
        lines.append(f"{name:30s}{found['rise']:8.3f}{observed}")
    lines.append(f"\nSpearman with the rise of the loss, bits per byte; {summary['runs']} runs from scratch")
    lines += [f"{'':16s}{'over runs':>28s}{'within methods':>28s}"]
    for name, found in summary["correlations"].items():
        lines.append(
            f"{name:16s}" + "".join(f"{_estimate(found[k]):>28s}" for k in ("over_runs", "within_methods"))
        )
    lines.append("\nbits per byte that come back at the longest length, mean over seeds at the chosen rate")
    lines.append(f"{'':40s}{'bits that come back':>28s}{'share of those lost':>28s}{'lost':>8s}{'seeds':>7s}")
    for variant, cells in summary["altered"].items():
        longest = max(cell["length"] for cell in cells)
        lines += [_cell(variant, cell) for cell in cells if cell["length"] == longest]
    if content["left_out"]:
        lines.append(
            "\nleft out: " + "; ".join(f"{name} ({why})" for name, why in content["left_out"].items())
        )
    return "\n".join(lines)


def _cell(variant: str, cell: Numbers) -> str:
    share = "-" if cell["share"] is None else _interval(cell["share"])
    return (
        f"{variant:16s}{cell['kind']:18s}{cell['length']:6d}{_interval(cell['back']):>28s} {share:>28s}"
        f"{cell['lost'][0]:8.3f}{cell['seeds']:7d}"
    )


def _estimate(found: Numbers | None) -> str:
    return "too few" if found is None else _interval([found["value"], found["low"], found["high"]])


def _interval(ends: list[float | None]) -> str:
    value, low, high = ends
    inside = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return f"{_number(value)}{inside}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
