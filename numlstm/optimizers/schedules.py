"""Learning rate schedules: those of Keras, and PyTorch's one-cycle schedule.

An optimizer takes a schedule as its `learning_rate`, and calls it on the host before every step.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from numlstm import checks, missing
from numlstm.messages import quoted

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "deserialize",
    "serialize",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.optimizers.schedules", __all__)


class LearningRateSchedule:
    """The base of all schedules, also of a user's own. A call with the number of steps taken so far returns η."""

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after `step` steps."""
        raise NotImplementedError(f"{type(self).__name__} must override __call__(self, step)")

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate this schedule."""
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Recreate a schedule from the result of `get_config`."""
        return cls(**config)


class ExponentialDecay(LearningRateSchedule):
    """η = η₀ r^(t/s) at step t.

    Args:
        initial_learning_rate: η₀.
        decay_steps: s, the number of steps after which the rate is multiplied by r.
        decay_rate: r.
        staircase: Whether to round t/s down.
        name: Name of the schedule, as in Keras.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = checks.at_least_zero(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = checks.positive(decay_steps, "decay_steps")
        self.decay_rate = checks.at_least_zero(decay_rate, "decay_rate")
        self.staircase = checks.boolean(staircase, "staircase")
        self.name = name

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after `step` steps."""
        exponent = step / self.decay_steps
        try:
            share = self.decay_rate ** (math.floor(exponent) if self.staircase else exponent)
        except OverflowError:
            share = math.inf  # The optimizer refuses an infinite learning rate.
        return self.initial_learning_rate * share if self.initial_learning_rate else 0.0


class PiecewiseConstantDecay(LearningRateSchedule):
    """η = values[0] up to and including step boundaries[0], then values[1], and so on.

    Args:
        boundaries: Increasing step numbers.
        values: Learning rates, one more than boundaries.
        name: Name of the schedule, as in Keras.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        checks.several(boundaries, "boundaries")
        checks.several(values, "values")
        self.boundaries = [checks.at_least_zero(step, "a boundary") for step in boundaries]
        self.values = [checks.at_least_zero(value, "a value") for value in values]
        self.name = name
        if len(self.values) != len(self.boundaries) + 1:
            numbers = f"{len(self.boundaries)} boundaries and {len(self.values)} values"
            raise ValueError(f"there must be one value more than boundaries, not {numbers}")
        if any(later <= earlier for earlier, later in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"boundaries must rise, not {self.boundaries}")

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after `step` steps."""
        return self.values[bisect_left(self.boundaries, step)]


class CosineDecay(LearningRateSchedule):
    """Half a cosine from η₀ down to α η₀ (Loshchilov & Hutter 2017), optionally after a linear warm-up.

    Args:
        initial_learning_rate: η₀; with a warm-up, the rate at its beginning.
        decay_steps: The number of steps of the cosine.
        alpha: α.
        name: Name of the schedule, as in Keras.
        warmup_target: The rate at the end of the warm-up, which replaces η₀ in the cosine; None: no warm-up.
        warmup_steps: The number of steps of the warm-up, before those of the cosine.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = checks.at_least_zero(initial_learning_rate, "initial_learning_rate")
        self.decay_steps = checks.positive(decay_steps, "decay_steps")
        self.alpha = checks.at_least_zero(alpha, "alpha")
        self.name = name
        self.warmup_target = None if warmup_target is None else checks.at_least_zero(warmup_target, "warmup_target")
        self.warmup_steps = checks.at_least_zero(warmup_steps, "warmup_steps")

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after `step` steps."""
        top, warmup = self.initial_learning_rate, 0.0
        if self.warmup_target is not None:
            top, warmup = self.warmup_target, self.warmup_steps
        if step < warmup:
            return self.initial_learning_rate + (top - self.initial_learning_rate) * step / warmup
        share = min((step - warmup) / self.decay_steps, 1.0)
        return _cosine(top, self.alpha * top, share)


class OneCycle(LearningRateSchedule):
    """Half a cosine up, then half a cosine down (Smith & Topin 2018): PyTorch's OneCycleLR without its momentum cycle.

    Args:
        max_lr: The peak rate.
        total_steps: The number of steps of the cycle. Afterwards the rate keeps its final value.
        pct_start: The fraction of steps in which the rate increases, from 0 to below 1.
        div_factor: The initial rate is `max_lr` divided by this.
        final_div_factor: The final rate is the initial rate divided by this.
        name: Name of the schedule.
    """

    def __init__(
        self,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        name: str = "OneCycle",
    ) -> None:
        self.max_lr = checks.positive(max_lr, "max_lr")
        self.total_steps = checks.integer(total_steps, "total_steps")
        self.pct_start = checks.fraction(pct_start, "pct_start")
        self.div_factor = checks.positive(div_factor, "div_factor")
        self.final_div_factor = checks.positive(final_div_factor, "final_div_factor")
        self.name = name

    def __call__(self, step: int) -> float:
        """The learning rate of the next step, after `step` steps."""
        start = self.max_lr / self.div_factor
        peak, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        if step < peak:
            return _cosine(start, self.max_lr, step / peak)
        return _cosine(self.max_lr, start / self.final_div_factor, min((step - peak) / (last - peak), 1.0))


_CLASSES: dict[str, type[LearningRateSchedule]] = {
    cls.__name__: cls for cls in (CosineDecay, ExponentialDecay, OneCycle, PiecewiseConstantDecay)
}


def serialize(schedule: LearningRateSchedule) -> dict[str, Any] | None:
    """Convert a schedule to a dict for files; None for a user's own class, which no file can store.

    Raises:
        TypeError: If it is no schedule.
    """
    if not isinstance(schedule, LearningRateSchedule):
        raise TypeError(f"only a schedule can be serialized, not {quoted(schedule)}")
    if type(schedule) not in _CLASSES.values():
        return None
    return {"class_name": type(schedule).__name__, "config": schedule.get_config()}


def deserialize(config: dict[str, Any]) -> LearningRateSchedule:
    """Recreate a schedule from the result of `serialize`.

    Raises:
        ValueError: If there is no schedule of that name.
    """
    if not isinstance(config, dict) or config.get("class_name") not in _CLASSES:
        raise ValueError(f"a schedule must be one of {', '.join(map(repr, _CLASSES))}, not {quoted(config)}")
    return _CLASSES[config["class_name"]].from_config(config["config"])


def _cosine(start: float, end: float, share: float) -> float:
    """Half a cosine from `start` to `end`, where `share` goes from 0 to 1."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))
