"""Formulas of the ledger as SVG that stands in the page: drawn from glyphs that the page holds once."""

from __future__ import annotations

import html
import re
from typing import Any

from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import LoadFlags
from matplotlib.mathtext import MathTextParser

from analysis.errors import InputError

SIZE = 16.0  # points that glyphs are set in; a page scales them by its own font
FORMULA = re.compile(r"\$(.+?)\$", re.DOTALL)
# what mathtext knows by another name, and arguments that it wants in braces
NAMES = {
    r"\le": r"\leq",
    r"\ge": r"\geq",
    r"\ne": r"\neq",
    r"\tfrac": r"\frac",
    r"\square": r"\blacksquare",
    r"\big": "",
}
_NAME = re.compile(r"\\(?:le|ge|ne|tfrac|square|big)(?![A-Za-z])")
_ARGUMENT = r"\s*(\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}|\\[A-Za-z]+|[^\s{}\\])"
_FRAC = re.compile(r"\\frac(?![A-Za-z])" + _ARGUMENT + _ARGUMENT)
_ONE = re.compile(r"\\(sqrt|mathrm|mathbb|mathbf|operatorname)(?![A-Za-z\[])" + _ARGUMENT)


def normal_tex(tex: str) -> str:
    r"""TeX as mathtext reads it.

    >>> normal_tex(r'\frac2{\sqrt D}\le1')
    '\\frac{2}{\\sqrt{D}}\\leq 1'
    """
    text = _NAME.sub(lambda m: NAMES[m[0]] + " ", " ".join(tex.split()))
    text = _ONE.sub(lambda m: rf"\{m[1]}{_braced(m[2])}", text)
    text = _FRAC.sub(lambda m: rf"\frac{_braced(m[1])}{_braced(m[2])}", text)
    return text.strip()


def _braced(argument: str) -> str:
    return argument if argument.startswith("{") else f"{{{argument}}}"


class Formulas:
    """The formulas of one page, and the glyphs that they are drawn from."""

    def __init__(self) -> None:
        self.parser = MathTextParser("path")
        self.glyphs: dict[tuple[str, int], str] = {}  # outline by font and character
        self.known: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Text with formulas between dollar signs, and `code` between ticks, as HTML."""
        parts = FORMULA.split(text)
        return "".join(self.formula(part) if i % 2 else _words(part) for i, part in enumerate(parts))

    def formula(self, tex: str) -> str:
        """One formula as SVG, its TeX as its description.

        Raises:
            InputError: it is no TeX that can be drawn.
        """
        if tex not in self.known:
            self.known[tex] = self._drawn(tex)
        return self.known[tex]

    def _drawn(self, tex: str) -> str:
        try:
            found: Any = self.parser.parse(f"${normal_tex(tex)}$", 72, FontProperties(size=SIZE))
        except ValueError as error:
            raise InputError(f"formula {tex!r} cannot be drawn: {str(error).splitlines()[-1]}") from error
        shapes = [
            f'<use href="#{self._glyph(font, number)}" '
            f'transform="translate({x:.2f} {-y:.2f}) scale({size / SIZE:.3g})"/>'
            for font, size, number, *_, x, y in ((*g[:3], *g[-2:]) for g in found.glyphs)
        ]
        shapes += [
            f'<rect x="{x:.2f}" y="{-y - height:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
            for x, y, width, height in found.rects
        ]
        width, height, depth = found.width + 1, found.height, found.depth
        box = f"-0.5 {-height - 0.5:.2f} {width:.2f} {height + depth + 1:.2f}"
        style = (
            f"width:{width / SIZE:.3f}em;height:{(height + depth + 1) / SIZE:.3f}em;"
            f"vertical-align:{-(depth + 0.5) / SIZE:.3f}em"
        )
        label = html.escape(" ".join(tex.split()), quote=True)
        opened = f'<svg class="tex" role="img" aria-label="{label}" viewBox="{box}" style="{style}">'
        return f"{opened}{''.join(shapes)}</svg>"

    def _glyph(self, font: Any, number: int) -> str:
        key = (font.postscript_name, number)
        name = f"g-{font.postscript_name}-{number:x}"
        if key not in self.glyphs:
            font.set_size(SIZE, 72)
            font.load_char(number, flags=LoadFlags.NO_HINTING)
            self.glyphs[key] = f'<path id="{name}" d="{_outline(*font.get_path())}"/>'
        return name

    @property
    def definitions(self) -> str:
        """What a page must hold once for its formulas to be seen."""
        glyphs = "".join(self.glyphs.values())
        return f'<svg width="0" height="0" aria-hidden="true" style="position:absolute"><defs>{glyphs}</defs></svg>'


def _outline(points: Any, codes: Any) -> str:
    """A path of matplotlib as SVG has it, y downwards."""
    parts, at, letters = [], 0, {1: ("M", 1), 2: ("L", 1), 3: ("Q", 2), 4: ("C", 3), 79: ("Z", 1)}
    while at < len(codes):
        letter, count = letters[int(codes[at])]
        corners = points[at : at + count] if letter != "Z" else ()
        parts.append(letter + " ".join(f"{x:.2f} {-y:.2f}" for x, y in corners))
        at += count
    return "".join(parts)


def _words(text: str) -> str:
    """Plain text with code between ticks and bold between stars."""
    escaped = html.escape(text)
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped)
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", escaped)
