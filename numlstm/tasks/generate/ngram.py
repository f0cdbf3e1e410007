"""The rival of a language model that counts: n-grams, interpolated by the rule of Witten & Bell (1991)."""

from __future__ import annotations

from math import log

import numpy as np

__all__ = ["ngram_bits"]

_MOST_ORDER = 7
"""Symbols of the longest context."""


def ngram_bits(train: np.ndarray, part: np.ndarray, size: int) -> np.ndarray:
    """The bits of each symbol of a part, after the counts of the training part.

    With a context of n symbols that has been seen C times, before U different symbols,
    p_n(s) = (count(s) + U p_{n-1}(s)) / (C + U), where p_{-1} = 1/V.

    Args:
        train: [M] symbols.
        part: [N] symbols.
        size: V, the number of symbols.

    Returns:
        [n, N]: for each length of the context, from 0 on.
    """
    most = min(_MOST_ORDER, int(62 * log(2) / log(size)) - 1)  # Contexts with their symbols are numbers of 62 bits.
    bits = []
    probability = np.full(len(part), 1 / size)
    before = np.zeros(len(train), np.int64), np.zeros(len(part), np.int64)
    for order in range(most + 1):
        if order:
            weight = size ** (order - 1)
            before = before[0] + weight * _shifted(train, order), before[1] + weight * _shifted(part, order)
        pairs, counts = np.unique(before[0] * size + train, return_counts=True)
        contexts, firsts = np.unique(pairs // size, return_index=True)
        totals = np.add.reduceat(counts, firsts)
        followers = np.diff(np.append(firsts, len(pairs)))
        seen, at = _find(contexts, before[1])
        known, where = _find(pairs, before[1] * size + part)
        count, total, different = np.where(known, counts[where], 0), totals[at], followers[at]
        mixed = (count + different * probability) / (total + different)
        probability = np.where(seen, mixed, probability)
        bits.append(-np.log2(probability))
    return np.array(bits)


def _shifted(ids: np.ndarray, steps: int) -> np.ndarray:
    """The symbols this many steps before; 0 before the first one."""
    return np.concatenate([np.zeros(steps, np.int64), ids])[: len(ids)]


def _find(table: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a sorted table has each key, and where."""
    where = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return table[where] == keys, where
