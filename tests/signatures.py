"""Signatures of `analysis` at work in the tests: types and shapes of arguments and results, as jaxtyping reads them.

jaxtyping's import hook decorates every function and dataclass. To check one call takes about as long as hundreds of
lines of Python, so that a loop that calls a small function thousands of times did little else. The calls of one
function in one test are mostly alike: the first few of each test are checked, and at night (`deep`) all of them.
A function is decorated when it is first called and not when it is imported, as most are not called by most processes.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jaxtyping

# An int is a float here, as in every type checker (PEP 484). The hook evaluates this text as it stands.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
FIRST = 20
checked_by_jaxtyping = jaxtyping.jaxtyped


@dataclass
class Checks:
    """Which test runs, by its number in this process, and how many calls of each function are checked in it."""

    test: int = 0
    most: float = FIRST


CHECKS = Checks()


def checked(thing: Any = None, *, typechecker: Callable, checks: Checks = CHECKS) -> Any:
    """In the place of `jaxtyping.jaxtyped`: decorates a function, or the `__init__` of a dataclass.

    Args:
        thing: a function as it was written (the hook decorates it before all other decorators do), or a class.
        typechecker: of the hook.
        checks: counts tests.
    """
    if thing is None:
        return functools.partial(checked, typechecker=typechecker, checks=checks)
    if not inspect.isclass(thing):
        return _at_first(thing, typechecker, checks)
    if dataclasses.is_dataclass(thing) and not hasattr(thing.__init__, "__wrapped__"):
        thing.__init__ = _at_first(thing.__init__, typechecker, checks)
    return thing


def _at_first(function: Callable, typechecker: Callable, checks: Checks) -> Callable:
    checking: Callable | None = None
    test = left = -1

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal checking, test, left
        __tracebackhide__ = True
        if jaxtyping.config.jaxtyping_disable:  # first: what is compiled sees no more than this
            return function(*args, **kwargs)
        if test != checks.test:
            test, left = checks.test, checks.most
        if left <= 0:
            return function(*args, **kwargs)
        left -= 1
        if checking is None:
            checking = checked_by_jaxtyping(function, typechecker=typechecker)
        return checking(*args, **kwargs)

    return call


def install(package: str) -> None:
    """Have the functions of a package checked, which is not imported yet."""
    jaxtyping.jaxtyped = checked  # the hook writes this name into the modules
    jaxtyping.install_import_hook(package, CHECKER)


@contextmanager
def signatures_unchecked() -> Iterator[None]:
    """The signature checks off, for the length of a `with`; then as they were."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def expects_an_error(test: Callable) -> bool:
    """Does the test's own source (below hypothesis' wrapper) say `raises(`?"""
    wrapped = getattr(test, "hypothesis", None)
    return "raises(" in inspect.getsource(wrapped.inner_test if wrapped else test)
