"""Random damage to bytes and to JSON."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

__all__ = ["damaged_bytes", "damaged_json"]

_VALUES: list[Any] = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 0.5, 1e400, float("nan"), "", "x", "\x1b[2J", "x" * 100_000,
    [], [[]], [None], [1] * 10_000, {}, {"class_name": "LSTM", "config": {}},
]  # fmt: skip


def damaged_bytes(content: bytes, random: np.random.Generator) -> bytes:
    """The content with flipped bits, without a part, with more bytes, or with two parts exchanged."""
    data = bytearray(content)
    kind, (start, stop) = random.integers(4), sorted(random.integers(0, len(data) + 1, 2))
    if kind == 0:
        for position in random.integers(0, len(data), 1 + int(random.integers(8))):
            data[position] ^= 1 << int(random.integers(8))
    elif kind == 1:
        del data[start : stop if random.integers(2) else len(data)]
    elif kind == 2:
        data[start:start] = random.bytes(1 + int(random.integers(64)))
    else:
        data[start:stop] = data[start:stop][::-1]
    return bytes(data)


def damaged_json(value: Any, random: np.random.Generator) -> Any:
    """The value with another value at some place, or without that place, once to three times."""
    value = json.loads(json.dumps(value))
    for _ in range(1 + int(random.integers(3))):
        places = list(_places(value))
        if not places:
            break
        holder, key = places[random.integers(len(places))]
        if random.integers(4):
            holder[key] = copy.deepcopy(_VALUES[random.integers(len(_VALUES))])
        else:
            del holder[key]
    return value


def _places(value: Any) -> Any:
    """Each container with each of its keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
