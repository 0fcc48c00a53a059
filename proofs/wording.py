r"""Words beside an object: what a printed statement cites, indexes and counts must be somebody's.

A statement that is an object prints its ranges and sides from it, but its words are typed. So are those of a form that
is no object. Nine rules tie what is typed to what is checked; `Ledger.check` enforces them.

- **Citations.** "(54)", "Theorem 2.2", "`thm-3.2`" name the claim itself, one that it uses, or one that it `cites`; and
  each that it cites is named. An assumption that words name is among the hypotheses, or cited: that it is used is not
  enough.
- **Indices.** A letter with an index, `\mu_0`, is printed by the object or stands in `NOTATION_INDICES`; `\theta_1`
  only begins a list, `\theta_1,\dots`.
- **Lists** such as `\theta_1,\dots` begin with the index 0 or 1, or go on from the index before; the last of the
  $\theta_d$ is `\theta_{D/2-1}`.
- **Independence** is that of 1 and the angles: no other number stands before $\theta_1$.
- **Versions.** Words that name a version of the paper name v1, which is the one that is judged.
- **Bases.** $b$ is $1/\theta_0$ and $\theta_0$ is $1/b$, and no other number over the other.
- **Shares.** The amplitude has the share $\theta$ of a head, the phase $1-\theta$, and no other number less $\theta$.
- **Fractions** of two numbers are in lowest terms.
- **Numbers.** Each other number in the words of an object stands among those that the object prints. `UNTIED`
  lists those that words state on their own.

The numbers of a form that is no object, and words without numbers, are compared with nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction
from math import gcd

_EQUATION = re.compile(r"(?<![\w\\}^_{)])\((\d{1,2})\)")
_NAMED = re.compile(r"\b([Aa]ssumption|[Tt]heorem|[Ll]emma|[Nn]otation|[Tt]able) ([A-I]?\.?\d+(?:\.\d+)?)")
_LABEL = re.compile(r"`([a-z]+-[^`]+)`")
_INDEXED = re.compile(r"(\\?[A-Za-z]+'?)_\{?(\d+)\}?(?![\w{}+])")  # bounds of integrals apart
_BOUNDS = re.compile(r"(\\(?:int|sum|prod))_\{?\d+\}?(\^\{?\d+\}?)?")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_FRACTION = re.compile(r"\\frac\{(\d+)\}\{(\d+)\}")
_SHORT_FRACTION = re.compile(r"\\frac(\d)(\d)")
_BEGINS_LIST = re.compile(r"\\theta_1[)$]*,[ $]*(?:\\dots|\.\.\.)")
_LIST = re.compile(
    r"(?:_\{?(\d+)\}?[)$]*,[ $\\(A-Za-z]*)?_\{?(\d+)\}?[)$]*,[ $]*(?:\\dots|\.\.\.)"
)  # the index before, if there is one, and the last
_VERSION = re.compile(r"\bv(\d)\b")
_INDEPENDENT = re.compile(r"(?<![\w.\\])(\d+),[ $]*\\theta_1\b")
_RATIO = re.compile(r"(?<![\w^}.])(\d+)/(\d+)(?![\w.])")
_BASE = re.compile(r"(?<!\w)(?:b = (\d+/\\theta_0)|\\theta_0 = (\d+/b))(?!\w)")
_LAST_PAIR = re.compile(r"\\theta_\{D/2-(\d+)\}")
_SHARE = re.compile(r"\((\d+)-\\theta\)")
_KINDS = {"eq": "", "thm": "theorem", "lem": "lemma", "asm": "assumption", "tab": "table", "not": "notation"}
_NUMBERED = re.compile(r"(eq|thm|lem|asm|tab|not)-([A-I]?\.?\d+(?:\.\d+)?)")

# letters that the paper, or a neighbour, writes with these indices
NOTATION_INDICES: dict[str, frozenset[int]] = {
    r"\theta": frozenset({0}),
    r"\mu": frozenset({0}),
    r"\nu": frozenset({0}),
    r"\sigma": frozenset({0}),
    r"\epsilon": frozenset({0}),
    "C": frozenset({3, 4}),  # constants of (20)
    "D": frozenset({0}),
    **dict.fromkeys(("S", "k", "m"), frozenset({1, 2})),
    **dict.fromkeys(("s", "x"), frozenset({1})),
}

# numbers that words state and the object does not have: windows of tables, sizes of examples, decimals of a constant
# that it has exactly; typed here once more, and compared with nothing else
UNTIED: dict[str, frozenset[str]] = {
    "rem-3.eliminates*": frozenset(["10", "32", "20"]),
    "rem-PI.monotone*": frozenset(["4"]),
    "rem-extensions*": frozenset(["1", "0"]),
    "eq-3": frozenset(["1"]),
    "eq-4": frozenset(["2", "1"]),
    "thm-2.1.reach": frozenset(["10000", "8", "10", "0.96779", "0.032"]),
    "thm-2.2.sharp": frozenset(["0"]),
    "thm-2.3.slow": frozenset(["0"]),
    "rem-3.reduces.scaled": frozenset(["0"]),
    "thm-3.2.sphere": frozenset(["5"]),
    "thm-3.2.equal": frozenset(["4"]),
    "rem-4.tokens": frozenset(["32"]),
    "rem-4.tokens*": frozenset(["2.1"]),
    "tab-1": frozenset(["16", "32", "49", "11.75"]),
    "tab-1*": frozenset(["8", "16", "32"]),
    "tab-2": frozenset(["8", "5.87", "3", "16", "1.63", "4", "32", "17.96", "122.71"]),
    "tab-3": frozenset(["16", "32"]),
    "eq-17*": frozenset(["0", "2", "1"]),
    "eq-21.beta": frozenset(["1"]),
    "eq-21.beta*": frozenset(["1"]),
    "eq-32": frozenset(["1"]),
    "eq-50*": frozenset(["3.7"]),
    "eq-58.a": frozenset(["1"]),
    "eq-69*": frozenset(["0.926", "0.8374"]),
    "lem-cin": frozenset(["1"]),
    "fig-1.zero": frozenset(["0", "1", "101", "0.03", "0.033", "2.8"]),
    "men-table": frozenset(["2", "1.6", "10000"]),
    "men-monotone": frozenset(["4096"]),
    "tapa-code.score": frozenset(["2"]),
    "drope-freq": frozenset(["64", "32"]),
    "drope-freq*": frozenset(["32", "128", "64"]),
}


def mentions(words: str) -> set[str]:
    """What a text names: "(54)", "theorem 2.2", or a label between backticks."""
    named = {f"{kind.lower()} {number}" for kind, number in _NAMED.findall(words)}
    return named | {f"({number})" for number in _EQUATION.findall(words)} | set(_LABEL.findall(words))


def designations(label: str) -> set[str]:
    """How a text may name a claim: by its label, and by the paper's number of it."""
    plain = label.rstrip("*")
    numbered = _NUMBERED.match(plain)
    found = {plain, label}
    if numbered is not None:
        kind, number = numbered.groups()
        found.add(f"({number})" if kind == "eq" else f"{_KINDS[kind]} {number}")
    return found


def misprints(
    words: str,
    printed: str | None,
    label: str,
    uses: Iterable[str] = (),
    cites: Iterable[str] = (),
    elsewhere: Iterable[str] = (),
) -> list[str]:
    """What is wrong with the words of a form by the module's rules; nothing is an empty list.

    Args:
        words: what is typed.
        printed: what the object prints beside it; None where there is no object.
        label: of the form.
        uses, cites: labels that the form uses, and those that its words name beside them.
        elsewhere: what else of its entry may name something: the place in the paper, the hypotheses.
    """
    used = (one for one in uses if not one.startswith("asm-"))
    own = designations(label).union(*map(designations, (*used, *cites)), *map(mentions, elsewhere))
    said = mentions(words)
    found = [f"{name} is cited, and neither used nor among cites" for name in sorted(said - own)]
    found += [f"cites {one!r}, which its words do not name" for one in cites if not designations(one) & said]
    bare = _LABEL.sub(" ", _NAMED.sub(" ", _EQUATION.sub(" ", words)))
    found += _indices(bare, printed or "") + [
        f"{above}/{below} is not in lowest terms"
        for above, below in _RATIO.findall(bare)
        if gcd(int(above), int(below)) > 1
    ]
    found += [
        f"a list from the index {last} on"
        for before, last in _LIST.findall(words)
        if last not in ("0", "1") and before != str(int(last) - 1)
    ]
    found += [
        rf"{whole} and \theta_1, where 1 is due" for whole in _INDEPENDENT.findall(bare) if whole != "1"
    ]
    found += [
        f"v{number} is not the version that is judged" for number in _VERSION.findall(bare) if number != "1"
    ]
    found += [
        f"{ratio} is neither the base nor its inverse"
        for ratio in map("".join, _BASE.findall(bare))
        if not ratio.startswith("1/")
    ]
    found += [
        rf"\theta_{{D/2-{number}}} is not that of the last pair"
        for number in _LAST_PAIR.findall(bare)
        if number != "1"
    ]
    found += [rf"({whole}-\theta) is no share of a head" for whole in _SHARE.findall(bare) if whole != "1"]
    return found if printed is None else found + _numbers(bare, printed, UNTIED.get(label, frozenset()))


def _indices(words: str, printed: str) -> list[str]:
    words, printed = (_BOUNDS.sub(r"\1", text) for text in (words, printed))
    known = {(letter, int(index)) for letter, index in _INDEXED.findall(printed)}
    known |= {(letter.replace("'", ""), index) for letter, index in known}
    found = []
    for letter, index in sorted(set(_INDEXED.findall(_BEGINS_LIST.sub(" ", words)))):
        letters = (letter, letter.replace("i", "", 1)) if re.fullmatch("i[a-z]", letter) else (letter,)
        if not any(
            (one, int(index)) in known or int(index) in NOTATION_INDICES.get(one, ()) for one in letters
        ):
            found.append(f"{letter}_{index} is a letter of no object and of no notation")
    return found


def _numbers(words: str, printed: str, untied: frozenset[str]) -> list[str]:
    known = {Fraction(number) for number in _NUMBER.findall(_plain(printed))}
    known |= {Fraction(int(above), int(below)) for above, below in _FRACTION.findall(printed) if int(below)}
    said = _NUMBER.findall(_plain(words))
    alone = [number for number in said if Fraction(number) not in known and number not in untied]
    return [f"{number} stands in no side, range or hypothesis" for number in alone]


def _plain(text: str) -> str:
    """A text without its indices, powers of ten written out."""
    spread = _SHORT_FRACTION.sub(r"\1/\2", text.replace("{,}", ""))
    spread = _INDEXED.sub(r"\1", _BOUNDS.sub(r"\1", spread))
    power = re.compile(r"(?<![\d.])(?:(\d+)\\cdot ?)?10\^\{?(\d+)\}?")
    return power.sub(lambda one: str(int(one[1] or 1) * 10 ** int(one[2])), spread)
