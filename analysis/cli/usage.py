"""What `tapa` says of a command line that it refuses: the value and the option as they were typed, and the remedy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from analysis.errors import InputError
from analysis.settings import nearest

CALLED = {"processes": "workers", "partial_rotary_factor": "share", "context": "length"}
"""Options and settings whose quantity has another name in the library."""
_QUANTITY = re.compile(r"\b(\w+)=('[^']*'|\[[^\]]*\]|[^\s,;:)]+)")


def as_typed(message: str, words: Sequence[str]) -> str:
    """A refusal of the library with each quantity as it stands on the command line, where it stands there.

    >>> as_typed("processes=0 is not a positive whole number", ["sweep", "--workers", "0"])
    '--workers 0 is not a positive whole number'
    >>> as_typed("head_dim=7 is odd; give an even number", ["train", "cpu", "model.head_dim=7"])
    'model.head_dim=7 is odd; give an even number'
    >>> as_typed("base=1.0 of config.json is no base", ["curve", "--config", "config.json"])
    'base=1.0 of config.json is no base'
    >>> as_typed("length=0 is no length", [])
    'length=0 is no length'

    Args:
        message: of an `InputError`.
        words: of the command line, after the program's name.
    """
    options: dict[str, str] = {}
    settings: dict[str, str] = {}
    for word, after in zip(words, [*words[1:], ""], strict=False):
        name, equals, value = word.partition("=")
        if name.startswith("--"):
            options[name[2:].replace("-", "_")] = value if equals else after
        elif equals:
            settings[name.rpartition(".")[2]] = word

    def typed(found: re.Match[str]) -> str:
        name, value = found[1], found[2].strip("'[]")
        for one in (name, CALLED.get(name, name)):
            for option in (one, f"{one}s"):
                if _same(said := options.get(option, ""), value):
                    shown = value if "," in said and "," not in value else said
                    return f"--{option.replace('_', '-')} {shown}"
            if _same(settings.get(one, "").partition("=")[2], value):
                return settings[one]
        return found[0]

    return _QUANTITY.sub(typed, message)


def _same(typed: str, said: str) -> bool:
    """Whether a message says the value that was typed: as it is, as a number, or as one of several."""
    if not typed:
        return False
    if said.replace(" ", "") == typed.replace(" ", "") or said in typed.split(","):
        return True
    try:
        return float(said) == float(typed)
    except ValueError:
        return False


def usage_text(error: Any, words: Sequence[str], examples: str = "") -> str:
    """What typer refuses of a command line, in one line with the value and the remedy.

    Args:
        error: a usage error of typer's click.
        words: of the command line, after the program's name.
        examples: the help of the command that is meant, with its examples.
    """
    context = getattr(error, "ctx", None)
    command = f"tapa {words[0]}" if examples else "tapa"
    if context is not None:
        command = context.command_path
    see = f"see `{command} --help`"
    said = " ".join(error.format_message().split()).rstrip(".")
    option = getattr(error, "option_name", None)
    if option is not None and context is not None:  # there is none of that name
        known = [name for parameter in context.command.params for name in parameter.opts]
        return f"option {option} is unknown; {nearest(option, known, otherwise=see)}"
    if option is not None:
        if "requires" not in said:
            return f"{option} takes no value; give it alone"
        example = re.search(rf"tapa \S.*{re.escape(option)} .*", examples)
        return f"{option} lacks its value; {f'give one, as in `{example[0].strip()}`' if example else see}"
    if (refused := _refused_value(error)) is not None:
        return str(InputError(refused))
    if found := re.fullmatch(r"No such command '(.*?)'.*", said):
        known = list(getattr(context and context.command, "commands", ()))
        return f"command {found[1]!r} is unknown; {nearest(found[1], known, otherwise=see)}"
    if found := re.fullmatch(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", said):
        return f"{found[1]}: more arguments than `{command}` takes; leave that out, or {see}"
    if said.startswith("Missing ") and (
        example := re.search(rf"^\s*({re.escape(command)} \S.*)$", examples, re.M)
    ):
        return f"{said}; give it, as in `{example[1].strip()}`"
    return f"{said}; {see}"


def _refused_value(error: Any) -> str | None:
    """Of a value that is none of its option's; None if that cannot be told."""
    parameter, cause = getattr(error, "param", None), error.__cause__
    if parameter is None or not hasattr(cause, "errors"):
        return None
    first = cause.errors()[0]
    value = first["input"] if len(str(first["input"])) <= 60 else f"{str(first['input'])[:57]}..."
    what = f"{parameter.opts[-1]} {value}" if parameter.opts[0].startswith("-") else repr(value)
    choices = getattr(getattr(parameter, "type_descriptor", None), "choices", None)
    if choices:
        return f"{what} is unknown; {nearest(value, [getattr(one, 'value', one) for one in choices])}"
    kind = {"int": "whole number", "float": "number"}.get(first["type"].partition("_")[0])
    if kind is None:
        return None
    default = parameter.default
    such = f" such as {default:.10g}" if isinstance(default, int | float) else ""
    return f"{what} is no {kind}; give one{such}"
