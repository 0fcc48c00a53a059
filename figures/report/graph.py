"""What claims rest on, as SVG whose nodes lead to the claims: columns by depth, lines from the used to the user."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

COLUMN, ROW, WIDTH, HEIGHT, MARGIN = 190, 24, 150, 18, 12  # pixels
SWEEPS = 8  # over the columns, each node towards the mean height of its neighbours
MARKS = {"proved": "●", "certified": "◐", "refuted": "✕", "unknown": "?", "supported": "~"}
DARK = ("#0072B2", "#D55E00", "#8C8C8C")  # fills that need white letters


def depths(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """How many claims lie below each: the length of the longest chain of uses that ends at it.

    Args:
        nodes: names.
        edges: (used, user) pairs, without a cycle.

    >>> depths('abc', [('a', 'b'), ('b', 'c')])
    {'a': 0, 'b': 1, 'c': 2}
    """
    below: dict[str, list[str]] = defaultdict(list)
    for used, user in edges:
        below[user].append(used)
    found: dict[str, int] = {}

    def depth(node: str) -> int:
        if node not in found:
            found[node] = max((depth(used) + 1 for used in below[node]), default=0)
        return found[node]

    return {node: depth(node) for node in nodes}


def places(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """Column and row of every node, neighbours near each other.

    Args: as `depths`.
    """
    column = depths(nodes, edges)
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=-1) + 1)]
    for node in nodes:
        columns[column[node]].append(node)
    near: dict[str, list[str]] = defaultdict(list)
    for a, b in edges:
        near[a].append(b)
        near[b].append(a)
    height = {node: row for group in columns for row, node in enumerate(group)}
    for sweep in range(SWEEPS):
        for group in columns if sweep % 2 == 0 else columns[::-1]:
            wanted = {
                n: sum(height[m] for m in near[n]) / len(near[n]) if near[n] else height[n] for n in group
            }
            group.sort(key=wanted.__getitem__)
            height |= {node: row for row, node in enumerate(group)}
    return {node: (column[node], height[node]) for node in nodes}


def claim_graph(graph: Mapping[str, Any]) -> str:
    """SVG of the ledger's graph without the claims that neither use nor are used, each node a link to its claim.

    Args:
        graph: as `proofs.status.graph` gives it.
    """
    edges = [(e["source"], e["target"], e["broken"]) for e in graph["edges"] if e["kind"] == "uses"]
    joined = {node for edge in edges for node in edge[:2]}
    nodes = {node["id"]: node for node in graph["nodes"] if node["id"] in joined}
    at = places(list(nodes), [edge[:2] for edge in edges])
    corner = {n: (MARGIN + column * COLUMN, MARGIN + row * ROW) for n, (column, row) in at.items()}
    width = max((x for x, _ in corner.values()), default=0) + WIDTH + MARGIN
    height = max((y for _, y in corner.values()), default=0) + HEIGHT + MARGIN
    lines = []
    for used, user, broken in edges:
        (x, y), (right, down) = corner[used], corner[user]
        x, y, down = x + WIDTH, y + HEIGHT / 2, down + HEIGHT / 2
        bend = (x + right) / 2
        dashed = ' stroke-dasharray="5 3"' if broken else ""
        lines.append(
            f'<path d="M{x} {y}C{bend} {y} {bend} {down} {right} {down}" class="edge"{dashed} '
            f'data-from="{html.escape(used)}" data-to="{html.escape(user)}"/>'
        )
    boxes = [_box(nodes[name], *corner[name]) for name in nodes]
    return (
        f'<svg class="graph" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="group" '
        f'aria-label="Claims and what they use">{"".join(lines)}{"".join(boxes)}</svg>'
    )


def _box(node: Mapping[str, Any], x: float, y: float) -> str:
    name, verdict = html.escape(node["id"]), node["verdict"]
    letters = "#fff" if node["fill"] in DARK else "#111"
    return (
        f'<a href="#{html.escape(node["label"])}" aria-label="{name}, {verdict}"><rect x="{x}" y="{y}" width="{WIDTH}" '
        f'height="{HEIGHT}" rx="3" fill="{node["fill"]}" stroke="{node["border"]}" stroke-width="2"/>'
        f'<text x="{x + 6}" y="{y + 13}" fill="{letters}">{MARKS[verdict]} {name}</text></a>'
    )
