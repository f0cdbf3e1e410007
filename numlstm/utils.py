"""Keras' helpers for data, `ctc_decode`, and `set_random_seed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm import checks, missing, seeds
from numlstm.decoding import ctc_decode
from numlstm.messages import quoted
from numlstm.timeseries import timeseries_dataset_from_array

__all__ = ["ctc_decode", "pad_sequences", "set_random_seed", "timeseries_dataset_from_array", "to_categorical"]

if TYPE_CHECKING:  # Keras has a `Sequence` here, which this one must not be taken for.
    from collections.abc import Sequence
else:
    __getattr__, __dir__ = missing.public("numlstm.utils", __all__)


def set_random_seed(seed: int) -> None:
    """Call `numlstm.set_seed`, whose name in Keras this is. Unlike Keras' function, it seeds numlstm alone.

    Python's `random` and `np.random` are not seeded, and their seeds have no effect on numlstm.

    Args:
        seed: An integer from 0.

    Raises:
        ValueError, TypeError: If the seed is not an integer from 0.
    """
    seeds.set_seed(seed)


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Convert labels to one-hot rows.

    Args:
        x: Labels from 0, of any shape. A last axis of size 1 is dropped.
        num_classes: N; None: the largest label plus one.

    Returns:
        A float64 array of the shape of x, with N as a further last axis.

    Raises:
        TypeError: If the labels are not real numbers, or `num_classes` is not an integer.
        ValueError: If a label is not a whole number from 0 to N - 1, or there are neither labels nor `num_classes`.
    """
    labels = checks.array(x, "x")
    if labels.dtype.kind not in "fiub":
        raise TypeError(f"x holds {labels.dtype} values, expected labels: whole numbers")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    most = np.inf
    if num_classes is not None:
        most = checks.integer(num_classes, "num_classes")
    elif not labels.size:
        raise ValueError("x holds no labels: say num_classes")
    wrong = (labels < 0) | (labels >= most) | (labels != np.floor(labels))
    if wrong.any():
        expected = "whole numbers from 0" if num_classes is None else f"0 to {most - 1}"
        raise ValueError(f"x holds the label {labels[wrong][0]}, but labels are {expected}")
    count = int(labels.max()) + 1 if num_classes is None else int(most)
    rows = np.zeros((*labels.shape, count))
    np.put_along_axis(rows, labels.astype("int64")[..., np.newaxis], 1.0, axis=-1)
    return rows


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Convert sequences of different lengths to one array. Short sequences are padded, long ones are truncated.

    Args:
        sequences: Lists or arrays of steps. Steps are numbers, or arrays of one shape.
        maxlen: T; None: the length of the longest sequence.
        dtype: Dtype of the result.
        padding: "pre" or "post": pad short sequences at the beginning or at the end.
        truncating: "pre" or "post": truncate long sequences at the beginning or at the end.
        value: Value of the padding.

    Returns:
        An array of shape (len(sequences), T) followed by the steps' shape.

    Raises:
        ValueError: If an item is not a sequence, a step has another shape or does not fit the dtype, or another
            argument is not valid.
        TypeError: If `maxlen` is not an integer.
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if where not in ("pre", "post"):
            raise ValueError(f"{name} must be 'pre' or 'post', not {quoted(where)}")
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"sequences must be a list of sequences, not {quoted(sequences)}")
    for sequence in sequences:
        # Strings, mappings and arrays without an axis may have these methods, but they have no steps.
        steps_are_there = hasattr(sequence, "__getitem__") and getattr(sequence, "shape", None) != ()
        if not steps_are_there or isinstance(sequence, str | bytes | Mapping):
            raise ValueError(f"sequences must be a list of sequences, but holds {quoted(sequence)}")
    longest = max(map(len, sequences), default=0)
    steps = longest if maxlen is None else checks.integer(maxlen, "maxlen")
    step_shape = next((np.shape(sequence[:1])[1:] for sequence in sequences if len(sequence)), ())
    try:
        padded = np.full((len(sequences), steps, *step_shape), value, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(
            f"value {quoted(value)} cannot stand in steps of shape {step_shape} and {dtype}: {error}"
        ) from None
    for number, (row, sequence) in enumerate(zip(padded, sequences, strict=True)):
        try:
            kept = np.asarray(sequence[-steps:] if truncating == "pre" else sequence[:steps], dtype)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"sequence {number} cannot become an array of {np.dtype(dtype)}: {error}") from None
        if not len(kept):
            continue
        if kept.shape[1:] != step_shape:
            raise ValueError(f"the steps of all sequences must have shape {step_shape}, not {kept.shape[1:]}")
        begin = steps - len(kept) if padding == "pre" else 0
        row[begin : begin + len(kept)] = kept
    return padded
