"""Regular expressions that name variables, and cannot take years: a model file may bring them."""

from __future__ import annotations

import re

from numlstm.messages import quoted

__all__ = ["check_expression", "finds"]

_REPEATED_GROUP = re.compile(r"\)\s*[*+{]|\(\?#|\(\?[a-zA-Z]*x")
"""Also what could hide one: comments, and the flag that allows spaces in it."""
_MOST_STEPS = 10**7
"""Python's `re` takes about a second for so many."""


def check_expression(expression: str) -> None:
    """Check an expression before it is used.

    Raises:
        ValueError: If it is no regular expression, or repeats a group, whose time can double with every character.
    """
    try:
        re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{quoted(expression)} in var_names is no regular expression: {error}") from None
    if _REPEATED_GROUP.search(expression):
        raise ValueError(f"{quoted(expression)} in var_names repeats a group: give several expressions without that")


def finds(expression: str, name: str) -> bool:
    """Whether an expression of `check_expression` is found in a variable's name.

    Raises:
        ValueError: If finding that out could take longer than a second.
    """
    repeats = sum(map(expression.count, "*+{"))
    choices = sum(map(expression.count, "?|"))
    # Each repeat may end at each character, and each choice has two ways.
    if (len(expression) + 1) * (len(name) + 1) ** (repeats + 1) << choices > _MOST_STEPS:
        raise ValueError(f"{quoted(expression)} in var_names repeats too much to look for it in {quoted(name)}")
    return re.search(expression, name) is not None
