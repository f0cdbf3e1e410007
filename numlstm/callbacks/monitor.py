"""The base of callbacks that watch a number and detect when it improves."""

from __future__ import annotations

import math
import re
import warnings

from numlstm import checks
from numlstm.callbacks.callback import Callback, Logs
from numlstm.messages import quoted

__all__ = ["Monitor"]

_LESS_IS_BETTER = {
    "cosh", "crossentropy", "error", "huber", "loss", "mae", "mape", "mse", "nll", "perplexity", "quantile", "rmse",
    "smape",
}  # fmt: skip
_MORE_IS_BETTER = {"acc", "accuracy", "auc", "f1", "precision", "r2", "recall"}


class Monitor(Callback):
    """The base of callbacks that watch a number in the logs.

    Args:
        monitor: The number's name, such as "val_loss".
        mode: "min" or "max": whether lower or higher is better; "auto" decides by the name.
        min_delta: A change must be larger than this to be an improvement.

    Raises:
        ValueError: If `mode` is another value, or "auto" does not recognize the name.
        TypeError: If `monitor` is not a string, or `min_delta` is not a number.
    """

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor must be the name of a number in the logs, not {quoted(monitor)}")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', not {quoted(mode)}")
        words = set(re.sub("(?<=[a-z])(?=[A-Z])", "_", monitor).lower().split("_"))
        if mode == "auto":
            if not words & (_LESS_IS_BETTER | _MORE_IS_BETTER):
                raise ValueError(f"mode='auto' cannot tell what is better for {quoted(monitor)}: say 'min' or 'max'")
            mode = "max" if words & _MORE_IS_BETTER else "min"
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(checks.number(min_delta, "min_delta"))

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than `best`; None: there is no best value yet. NaN is never better."""
        if best is None or math.isnan(value):
            return not math.isnan(value)
        return (value - best if self.mode == "max" else best - value) > self.min_delta

    def value(self, logs: Logs) -> float | None:
        """The number in the logs; None, with a warning, if it is missing."""
        value = (logs or {}).get(self.monitor)
        if value is None:
            message = f"{type(self).__name__} monitors {self.monitor!r}, but there is only: {', '.join(logs or {})}"
            warnings.warn(message, stacklevel=3)
        return value
