"""The base of all metrics."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from typing import Any, ClassVar

import numpy as np

from numlstm import checks
from numlstm.attributes import CheckedAttributes, is_own
from numlstm.messages import quoted
from numlstm.override import override

__all__ = ["MeanMetric", "Metric", "labels_of", "numbers_of", "outputs_of", "spread"]


class Metric(CheckedAttributes):
    """The base of all metrics.

    A metric of one's own overrides `reset_state`, `update_state` and `result`, in NumPy. It keeps its sums in
    attributes: numbers or arrays, which checkpoints keep too.

    Args:
        name: Name of the metric in the history; None: the name of the class.
        dtype: None: metrics are float64.

    Raises:
        ValueError: If `dtype` is given.
    """

    absent: ClassVar = {
        **dict.fromkeys(("add_weight", "add_variable"), "keep numbers or arrays in attributes, set by reset_state"),
        "reset_states": "its name is reset_state",
    }
    never_called: ClassVar = {"reset_states": "its name is reset_state"}

    name: str

    def __init__(self, name: str | None = None, dtype: None = None) -> None:
        if dtype is not None:
            raise ValueError(f"dtype must be None, not {quoted(dtype)}: metrics are accumulated in float64")
        if name is not None or not hasattr(self, "name"):
            self.name = str(name or checks.snake_case(type(self).__name__))
        # As in Keras, a user's method is not called before the user's `__init__` has ended.
        definer = next(base for base in type(self).__mro__ if "reset_state" in vars(base))
        if definer is not Metric and is_own(definer):
            self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__} must define reset_state")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Args:
            y_true: The targets.
            y_pred: The outputs, (B, …, N).
            sample_weight: (B,), or (B, T) for the steps of sequences; None: ones.

        Raises:
            ValueError: If the shapes do not fit.
            TypeError: If an array does not hold real numbers.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update_state")

    def result(self) -> float:
        """The metric over the batches since `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} must define result")

    def check_complete(self) -> None:
        """Check a metric of a user's class before a training.

        Raises:
            TypeError: If a method is missing, or `update_state` takes other arguments.
        """
        kind = type(self)
        for method, does in (
            ("reset_state", "sets the sums to zero before each epoch"),
            ("update_state", "adds a batch"),
            ("result", "returns the number"),
        ):
            if getattr(kind, method) is getattr(Metric, method):
                raise TypeError(f"metric {kind.__name__} must define {method}, which {does}")
        if not self._takes(2):
            raise TypeError(f"update_state of metric {kind.__name__} must take y_true, y_pred and sample_weight=None")

    def add_batch(self, y_true: Any, y_pred: Any, weights: np.ndarray | None) -> None:
        """Call `update_state`, without weights if there are none: as in Keras, a user's method need not take them.

        Raises:
            TypeError: If there are weights, and a user's method does not take them.
        """
        if weights is None:
            self.update_state(y_true, y_pred)
            return
        if not is_own(type(self)) and not self._takes(3):
            raise TypeError(
                f"update_state of metric {type(self).__name__} must take sample_weight=None as its last argument, "
                "because some samples or steps are masked or weighted"
            )
        self.update_state(y_true, y_pred, weights)

    def _takes(self, count: int) -> bool:
        """Whether `update_state` takes this number of arguments."""
        try:
            signature(self.update_state).bind(*[None] * count)
        except TypeError:
            return False
        return True

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this metric."""
        return {"name": self.name}

    def state(self) -> dict[str, Any]:
        """What `update_state` has summed up: the attributes whose names begin with an underscore.

        A user's class may keep its sums in any attribute.
        """
        keeps_all = not is_own(type(self))
        return {name: deepcopy(value) for name, value in vars(self).items() if keeps_all or name[0] == "_"}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the result of `state`."""
        for name in self.state() if is_own(type(self)) else state:
            vars(self)[name] = deepcopy(state[name])


class MeanMetric(Metric):
    """A weighted mean. Arguments as for `Metric`."""

    def reset_state(self) -> None:
        """Forget all batches."""
        self._total = self._weight = 0.0

    @override
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        values = np.asarray(self._values(checks.array(y_true, "y_true"), checks.array(y_pred, "y_pred")), np.float64)
        weights = np.ones(values.shape[:1]) if sample_weight is None else spread(sample_weight, values.shape)
        if not values.size:
            return
        # As in Keras: first the mean over the values of each weight, then the mean over each sample's weights.
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
        weighted = np.multiply(values, weights, out=np.zeros_like(values), where=weights != 0)
        self._total += float(weighted.reshape(len(values), -1).mean(axis=1).sum())
        self._weight += float(weights.reshape(len(values), -1).mean(axis=1).sum())

    @override
    def result(self) -> float:
        return self._total / self._weight if self._weight else 0.0

    def _values(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        """The values to average: (B, …)."""
        raise NotImplementedError


def spread(sample_weight: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Broadcast weights to the first axes of a shape, as many as the weights have. The result is float64."""
    weights = checks.numbers(sample_weight, "sample_weight", "float64")
    given = weights.shape
    if weights.ndim == len(shape) + 1 and given[-1] == 1:
        weights = weights[..., 0]
    wanted = shape[: max(1, weights.ndim)]
    try:
        return np.broadcast_to(weights, wanted)
    except ValueError:
        raise ValueError(f"sample_weight must have shape {shape[:1]} or {shape}, not {given}") from None


def outputs_of(y_pred: np.ndarray) -> np.ndarray:
    """Return the outputs; ValueError if they have no axis of classes."""
    if y_pred.ndim < 2:
        raise ValueError(f"y_pred must have shape (batch, …, classes), not {y_pred.shape}")
    return y_pred


def numbers_of(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert targets and outputs to float64 of one shape (B, …, N). A last axis of size 1 may be missing."""
    t, p = checks.numbers(y_true, "y_true", "float64"), checks.numbers(y_pred, "y_pred", "float64")
    if t.ndim == p.ndim == 1 or (t.shape == p.shape[:-1] and p.shape[-1:] == (1,)):
        t = t[..., np.newaxis]
    if p.ndim == t.ndim - 1 and t.shape[-1] == 1:
        p = p[..., np.newaxis]
    if t.shape != p.shape:
        raise ValueError(f"y_true and y_pred must have one shape, not {y_true.shape} and {y_pred.shape}")
    return t, p


def labels_of(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """The labels (B, …) for outputs (B, …, N). Axes of size 1 may be missing, or be too many."""
    expected = outputs_of(y_pred).shape[:-1]
    if _without_ones(y_true.shape) == _without_ones(expected):
        return y_true.reshape(expected)
    if y_true.shape != expected:
        raise ValueError(f"y_true must have shape {expected}, not {y_true.shape}")
    return y_true


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape if size != 1]
