"""The base of all optimizers: learning rate, clipping, weight decay, state.

The learning rate and the step number are in a small backend array, so that a recorded step can be replayed unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np

from numlstm import checks, missing
from numlstm.attributes import CheckedAttributes
from numlstm.kernels import Array
from numlstm.messages import a, meant, quoted
from numlstm.optimizers.excluded import check_expression, finds
from numlstm.optimizers.schedules import LearningRateSchedule, deserialize, serialize
from numlstm.parameters import Buffers

__all__ = ["Optimizer"]


_UNSUPPORTED = {
    "use_ema": (False, "average the weights in a callback"),
    "ema_momentum": (0.99, "average the weights in a callback"),
    "ema_overwrite_frequency": (None, "average the weights in a callback"),
    "loss_scale_factor": (None, "nothing is computed in half precision, so leave it out"),
    "gradient_accumulation_steps": (None, "take larger batches"),
    "lr": (None, "its name is learning_rate"),
    "decay": (0.0, "give a schedule of numlstm.schedules as learning_rate"),
}
"""Keras arguments that are not supported: their defaults, and what to do instead."""


class Optimizer(CheckedAttributes):
    """The base of all optimizers. An optimizer trains one model.

    Args:
        learning_rate: η, a number from 0 that may be set again at any time, or a schedule from `numlstm.schedules`.
        weight_decay: λ. Before each step, each weight is multiplied by 1 - ηλ. None: 0.
        clipnorm: Scale each variable's gradient to at most this norm.
        clipvalue: Clip each entry of the gradients to [-clipvalue, clipvalue].
        global_clipnorm: Scale all gradients together to at most this norm.
        name: Name of the optimizer; None: the name of the class in lower case.
        others: Keras arguments that are not supported. They must have Keras' defaults.

    Raises:
        ValueError: If a number is out of range, or more than one kind of clipping is given.
        TypeError: If an argument is not a number, is unknown, or is not supported.
    """

    absent: ClassVar = missing.OF_OPTIMIZERS
    set_elsewhere: ClassVar = {
        "lr": "its name is learning_rate",
        "iterations": "it counts the steps, and load_model restores it",
    }
    never_called: ClassVar = dict.fromkeys(
        ("apply_gradients", "compute_gradients", "update_step"),
        "the kernels of Adam, AdamW, Nadam, RMSprop and SGD update the weights; train_on_batch takes a step",
    )
    kernel: ClassVar[str]
    """The contract's function that updates the weights."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Make an optimizer; TypeError for the base itself, and for a class that extends nothing else."""
        if cls is Optimizer:
            raise TypeError("Optimizer is the base of all optimizers: make one of them, such as Adam(0.001)")
        if not hasattr(cls, "kernel"):
            raise TypeError(
                f"{a(cls.__name__)} updates no weights: an optimizer of your own is not possible, make one of "
                "numlstm.optimizers, such as Adam(0.001)"
            )
        return super().__new__(cls)

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule,
        weight_decay: float | None,
        clipnorm: float | None,
        clipvalue: float | None,
        global_clipnorm: float | None,
        name: str | None,
        others: dict[str, Any],
    ) -> None:
        _refuse(others, type(self))
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = {key: checks.positive(limit, key) for key, limit in limits.items() if limit is not None}
        if len(given) > 1:
            raise ValueError(f"only one of clipnorm, clipvalue and global_clipnorm can be given, not {given}")
        self.name = name or type(self).__name__.lower()
        self.weight_decay = None if weight_decay is None else checks.at_least_zero(weight_decay, "weight_decay")
        self.clipnorm, self.clipvalue, self.global_clipnorm = (given.get(key) for key in limits)
        self._learning_rate = _rate(learning_rate)
        self._excluded: list[str] = []
        self._iterations = 0
        self._buffers: Buffers | None = None
        self._slots: dict[str, Array] = {}
        self._coming: dict[str, np.ndarray] = {}
        """A state that `allocate` restores."""
        self._complete = True

    def __reduce__(self) -> NoReturn:
        kind = a(type(self).__name__)
        raise TypeError(f"{kind} can be neither copied nor pickled, as a class of your own: make another")

    @property
    def learning_rate(self) -> float:
        """η; with a schedule, η of the next step.

        Raises:
            TypeError: If it is set to a number although a schedule is in use. It may be set to another schedule.
        """
        if isinstance(self._learning_rate, float):
            return self._learning_rate
        return checks.at_least_zero(self._learning_rate(self._iterations), "the schedule's learning rate")

    @learning_rate.setter
    def learning_rate(self, value: float | LearningRateSchedule) -> None:
        if isinstance(self._learning_rate, LearningRateSchedule) and not isinstance(value, LearningRateSchedule):
            raise TypeError(
                f"learning_rate cannot be set: {type(self._learning_rate).__name__} rules it; "
                f"make the optimizer with a number as its learning rate to set it to {value}"
            )
        self._learning_rate = _rate(value)

    @property
    def iterations(self) -> int:
        """The number of steps taken so far."""
        return self._iterations

    @property
    def kernels_used(self) -> list[str]:
        """The contract's functions that `apply` calls."""
        clips = ["clip_norm"] if self.clipnorm or self.global_clipnorm else ["clip_value"] if self.clipvalue else []
        return [self.kernel, *clips, *(["decay_weights"] if self.weight_decay else [])]

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of the optimizer's flat state buffers."""
        return ()

    def exclude_from_weight_decay(self, var_list: None = None, var_names: Sequence[str] = ()) -> None:
        """Exclude variables from weight decay.

        Args:
            var_list: None: variables are not objects here.
            var_names: Regular expressions such as "bias". A variable is excluded if one is found in its name. They
                repeat no group, and little besides, because a model file that repeats them may come from anybody.

        Raises:
            ValueError: If training has begun, a name is not a regular expression, or it repeats a group. `fit` raises
                it for one that repeats too much.
            TypeError: If `var_list` is given, or `var_names` is not a list of strings.
        """
        if var_list is not None:
            raise TypeError("var_list is not supported: name the variables in var_names, such as ['bias']")
        if isinstance(var_names, str) or not all(isinstance(name, str) for name in var_names):
            raise TypeError(f"var_names must be a list of strings, not {quoted(var_names)}")
        if self._buffers is not None:
            raise ValueError("exclude_from_weight_decay must be called before training begins")
        for name in var_names:
            check_expression(name)
        self._excluded = list(var_names)

    def allocate(self, buffers: Buffers) -> None:
        """Allocate the state for these parameters, unless it is allocated already.

        Raises:
            ValueError: If the optimizer holds the state of other parameters.
        """
        if self.trains(buffers):
            return
        if self._buffers is not None:
            raise ValueError(
                "this optimizer already trains another model, or this one before it got other layers: "
                "give each model an optimizer of its own, and compile again with a new one when layers come or go"
            )

        def array(spans: list[tuple[int, int]]) -> Array:
            return buffers.backend.asarray(np.array(spans), "int64") if spans else None

        rate = self.learning_rate
        decayed = [s for s in buffers.segments if not any(finds(name, s.name) for name in self._excluded)]
        self._whole = array([(0, buffers.values.shape[0])])
        self._variables = array([(start, stop) for _, start, stop in buffers.segments])
        self._decayed = array([(start, stop) for _, start, stop in decayed])
        self._slots = self._new_slots(buffers)
        self._schedule = buffers.backend.zeros((2,), "float64")
        self._buffers = buffers
        self._write_schedule(rate)
        if self._coming:
            self.set_state(self._coming)
            self._coming = {}

    def begin(self) -> None:
        """Prepare a step: send the learning rate to the backend if it has changed."""
        assert self._buffers is not None, "allocate comes first"
        rate = self.learning_rate
        if rate != self._written_rate:
            self._write_schedule(rate)
        # A replayed step packs the weights itself, so all other packed copies are stale: advance the version.
        self._buffers.version.advance()

    def end(self) -> None:
        """Count a finished step."""
        self._iterations += 1

    def trains(self, buffers: Buffers) -> bool:
        """Whether the optimizer holds the state of these parameters."""
        return self._buffers is buffers

    def follow(self, before: Buffers, now: Buffers) -> None:
        """Keep the state when the parameters move. If parameters were added or removed, `allocate` raises later."""
        if self.trains(before) and before.segments == now.segments:
            state, self._buffers = self.state(), None
            self.allocate(now)
            self.set_state(state)

    def apply(self) -> None:
        """Update the weights with the gradients in the buffers."""
        buffers = self._buffers
        assert buffers is not None, "allocate comes first"
        backend = buffers.backend
        if self.clipnorm is not None and self._variables is not None:
            backend.clip_norm(buffers.gradients, self._variables, self.clipnorm)
        elif self.global_clipnorm is not None:
            backend.clip_norm(buffers.gradients, self._whole, self.global_clipnorm)
        elif self.clipvalue is not None:
            backend.clip_value(buffers.gradients, self.clipvalue)
        # Before the update: if an interrupt comes in between, packed copies must not look current.
        buffers.version.advance()
        if self.weight_decay and self._decayed is not None:
            backend.decay_weights(buffers.values, self._decayed, self._schedule, self.weight_decay)
        self._update(buffers)

    def settings(self) -> tuple[Any, ...]:
        """All settings except the learning rate."""
        return tuple(value for name, value in vars(self).items() if name[0] != "_")

    def _new_slots(self, buffers: Buffers) -> dict[str, Array]:
        return {slot: buffers.backend.zeros(buffers.values.shape, str(buffers.values.dtype)) for slot in self.slots}

    def _update(self, buffers: Buffers) -> None:
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """The number of steps, and copies of the slots by name; empty before `allocate` and `keep_state`."""
        if self._buffers is None:
            return dict(self._coming)
        to_host = self._buffers.backend.to_host
        return {"iterations": np.array(self._iterations)} | {k: np.array(to_host(v)) for k, v in self._slots.items()}

    def keep_state(self, state: dict[str, np.ndarray]) -> None:
        """Keep the result of `state` until `allocate`, which restores it and raises ValueError if it does not fit."""
        self._iterations = int(state["iterations"]) if state else 0
        self._coming = dict(state)

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Restore the result of `state`. The optimizer must be allocated, for parameters of the same size.

        Raises:
            ValueError: If names or shapes differ.
        """
        assert self._buffers is not None, "allocate comes first"
        expected = {"iterations": ()} | {name: tuple(slot.shape) for name, slot in self._slots.items()}
        given = {name: np.shape(value) for name, value in state.items()}
        if given != expected:
            raise ValueError(f"the optimizer's state has shapes {given}, expected {expected}")
        for name, slot in self._slots.items():
            self._buffers.backend.copy(slot, state[name])
        self._iterations = int(state["iterations"])
        self._write_schedule(self.learning_rate)

    def get_config(self) -> dict[str, Any]:
        """The arguments of `from_config` that recreate this optimizer without its state.

        A user's own schedule is replaced by its current learning rate, because no file can store the class.
        """
        rate: Any = self._learning_rate
        rate = float(rate) if isinstance(rate, float) else serialize(rate) or self.learning_rate
        excluded = {"exclude_from_weight_decay": self._excluded} if self._excluded else {}
        own = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"learning_rate": rate} | own | excluded

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Recreate an optimizer from the result of `get_config`."""
        config = dict(config)
        excluded = config.pop("exclude_from_weight_decay", ())
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize(config["learning_rate"])
        made = cls(**config)
        made.exclude_from_weight_decay(var_names=excluded)
        return made

    def _write_schedule(self, rate: float) -> None:
        assert self._buffers is not None
        self._buffers.backend.copy(self._schedule, np.array([rate, self._iterations], "float64"))
        self._written_rate = rate


def _rate(value: float | LearningRateSchedule) -> float | LearningRateSchedule:
    if isinstance(value, LearningRateSchedule):
        return value
    if callable(value):
        raise TypeError(
            f"learning_rate must be a number or a numlstm.schedules.LearningRateSchedule, not {quoted(value)}"
        )
    return _Number(checks.at_least_zero(value, "learning_rate"))


class _Number(float):
    """A learning rate. In Keras it is a variable: what only a variable has is answered with what to use."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """Called for a name that a float has not; AttributeError with what to use instead."""
            hint = ": it is a number, set it by optimizer.learning_rate = 0.01"
            raise AttributeError(
                f"the learning rate has no attribute {quoted(name)}{hint * (name[0] != '_')}", name=name
            )


def _refuse(others: dict[str, Any], optimizer_class: type) -> None:
    for name, value in others.items():
        if name not in _UNSUPPORTED:
            hint = meant(name, checks.arguments_of(optimizer_class))
            raise TypeError(f"an optimizer has no argument {quoted(name)}{hint}")
        default, instead = _UNSUPPORTED[name]
        if value != default:
            raise TypeError(f"{name}={quoted(value)} is not supported: {instead}")
