"""The axis of a series: dates, or increasing numbers."""

from __future__ import annotations

import numpy as np

__all__ = ["extend", "labels"]


def labels(axis: np.ndarray) -> list[str]:
    """Format axis values as text, exactly and as short as possible. Dates are in ISO 8601.

    Args:
        axis: [N] datetime64, int64 or float64.
    """
    if axis.dtype.kind != "M":
        return [str(value) for value in axis.tolist()]
    for unit in ("D", "s"):
        if np.array_equal(axis, axis.astype(f"datetime64[{unit}]")):
            return np.datetime_as_string(axis, unit=unit).tolist()
    return np.datetime_as_string(axis).tolist()


def extend(axis: np.ndarray, steps: int) -> np.ndarray:
    """The next values of an axis: by the calendar rule of its end (months, business days), else by the median step.

    Args:
        axis: [N] datetime64, int64 or float64.
        steps: number of values.

    Returns:
        [steps] values after the last one, of the same dtype.

    Raises:
        ValueError: N is below 2.
    """
    if len(axis) < 2:
        raise ValueError(f"{len(axis)} rows do not tell how their axis goes on: at least 2 are needed")
    count = np.arange(1, steps + 1)
    if axis.dtype.kind == "M":
        import pandas as pd

        rule = pd.DatetimeIndex(axis[-50:], freq="infer").freq if len(axis) > 2 else None
        if rule is not None:
            return pd.date_range(axis[-1], periods=steps + 1, freq=rule)[1:].to_numpy(axis.dtype)
        step = np.median(np.diff(axis).astype(np.int64)).astype(np.int64)
        return axis[-1] + (count * step).astype(f"timedelta64[{np.datetime_data(axis.dtype)[0]}]")
    step = np.median(np.diff(axis))
    return (axis[-1] + count * step).astype(axis.dtype)
