"""Check that the state of a callback comes back from a checkpoint as it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm.messages import quoted

__all__ = ["check_state"]

_DEEPEST = 100
"""Levels of lists and dicts. JSON's reader stops at some hundreds; a list that holds itself has no end."""
_MOST_BITS = 14_000
"""Bits of an integer: Python does not read back more than 4300 digits."""
_RESERVED = "/tensor"
"""The key by which a checkpoint names arrays."""


def check_state(state: Any, owner: str) -> None:
    """Check the result of `Callback.state`.

    Args:
        state: The state.
        owner: The name of the callback's class.

    Raises:
        TypeError: If it is no dict, or holds what a checkpoint cannot keep.
    """
    if not isinstance(state, dict):
        raise TypeError(f"{owner}.state must return a dict, not {quoted(state)}")
    _check(state, owner, 0)


def _check(value: Any, owner: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise TypeError(f"the state of {owner} has lists in lists without an end, which a checkpoint cannot keep")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or key == _RESERVED:
                raise TypeError(
                    f"the state of {owner} has a dict with the key {quoted(key)}, which a checkpoint cannot keep: its "
                    f"keys are strings other than {_RESERVED!r}"
                )
            _check(item, owner, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item, owner, depth + 1)
    elif not _is_kept(value):
        raise TypeError(
            f"the state of {owner} holds {_described(value)}, which a checkpoint cannot keep: give numbers, strings, "
            "None, arrays of numbers, and lists and dicts of them"
        )


def _is_kept(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        # A subclass, such as a masked array, would come back without what it has besides.
        return type(value) in (np.ndarray, np.memmap) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        return value.bit_length() <= _MOST_BITS
    return value is None or isinstance(value, float | str)


def _described(value: Any) -> str:
    return f"an array of {value.dtype}" if type(value) is np.ndarray else quoted(value)
