"""Optimizers, with Keras' defaults. Each updates a model's flat buffers in one kernel call.

Learning rate and step number live in a small backend array, so that a step's kernels can be replayed as they are.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.parameters import Buffers

__all__ = ["SGD", "Adam", "Optimizer", "RMSprop", "get"]


class Optimizer:
    """What all optimizers share. One optimizer trains one model.

    Args:
        learning_rate: Positive; readable and settable at any time.
        global_clipnorm: Scale all gradients together so that their norm is at most this; None: never.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    """The flat buffers of state that the optimizer keeps, by name."""
    function: ClassVar[str]
    """What it calls of the contract."""

    def __init__(self, learning_rate: float, global_clipnorm: float | None) -> None:
        self._learning_rate = _positive(learning_rate, "learning_rate")
        self.global_clipnorm = None if global_clipnorm is None else _positive(global_clipnorm, "global_clipnorm")
        self._buffers: Buffers | None = None
        self._schedule: Array = None
        self._slots: dict[str, Array] = {}

    @property
    def learning_rate(self) -> float:
        """The step size η."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = _positive(value, "learning_rate")
        if self._buffers is not None:
            self._write_schedule(self.iterations)

    @property
    def iterations(self) -> int:
        """The number of steps taken so far."""
        return 0 if self._buffers is None else int(self._buffers.backend.to_host(self._schedule)[1])

    def bind(self, buffers: Buffers) -> None:
        """Allocate the state for these parameters; nothing happens when that has been done.

        Raises:
            ValueError: If the optimizer holds the state of other parameters.
        """
        if self._buffers is buffers:
            return
        if self._buffers is not None:
            raise ValueError("this optimizer already trains another model: give each model an optimizer of its own")
        backend, size = buffers.backend, buffers.values.shape[0]
        self._slots = {slot: backend.zeros((size,), str(buffers.values.dtype)) for slot in self.slots}
        self._schedule = backend.zeros((2,), "float64")
        self._buffers = buffers
        self._write_schedule(0)

    def apply(self) -> None:
        """Take one step with the gradients that lie in the buffers."""
        assert self._buffers is not None, "bind comes first"
        backend = self._buffers.backend
        if self.global_clipnorm is not None:
            backend.clip_norm(self._buffers.gradients, self.global_clipnorm)
        # First: an interrupt may come between the two, and must not leave packed copies that look current.
        self._buffers.version.advance()
        self._update(self._buffers)

    def _update(self, buffers: Buffers) -> None:
        raise NotImplementedError

    def state(self) -> dict[str, np.ndarray]:
        """The number of steps, and copies of the flat buffers by name; empty before the first step."""
        if self._buffers is None:
            return {}
        to_host = self._buffers.backend.to_host
        return {"iterations": np.array(self.iterations)} | {k: np.array(to_host(v)) for k, v in self._slots.items()}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Take over what `state` gave. The optimizer must be bound to parameters of the same size.

        Raises:
            ValueError: If names or sizes differ.
        """
        assert self._buffers is not None, "bind comes first"
        expected = {"iterations": ()} | {name: tuple(slot.shape) for name, slot in self._slots.items()}
        given = {name: np.shape(value) for name, value in state.items()}
        if given != expected:
            raise ValueError(f"the optimizer's state has shapes {given}, expected {expected}")
        for name, slot in self._slots.items():
            self._buffers.backend.copy(slot, state[name])
        self._write_schedule(int(state["iterations"]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, without its state."""
        own = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return {"learning_rate": self.learning_rate} | own

    def _write_schedule(self, iterations: int) -> None:
        assert self._buffers is not None
        self._buffers.backend.copy(self._schedule, np.array([self._learning_rate, iterations], "float64"))


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum v - η g, then w += v, or with Nesterov w += momentum v - η g.

    Args:
        learning_rate: η.
        momentum: From 0 to below 1.
        nesterov: Whether to look ahead (Nesterov 1983).
        global_clipnorm: See `Optimizer`.
    """

    function = "sgd"
    slots = ("velocity",)

    def __init__(
        self,
        learning_rate: float = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.momentum = _fraction(momentum, "momentum")
        self.nesterov = checks.boolean(nesterov, "nesterov")

    def _update(self, buffers: Buffers) -> None:
        buffers.backend.sgd(
            buffers.values, buffers.gradients, self._slots["velocity"], self._schedule, self.momentum, self.nesterov
        )


class RMSprop(Optimizer):
    """Gradients divided by a running root mean square (Tieleman & Hinton 2012); ε inside the root, as in Keras.

    Args:
        learning_rate: η.
        rho: The decay of the running mean.
        epsilon: ε.
        global_clipnorm: See `Optimizer`.
    """

    function = "rmsprop"
    slots = ("mean_square",)

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.rho = _fraction(rho, "rho")
        self.epsilon = _positive(epsilon, "epsilon")

    def _update(self, buffers: Buffers) -> None:
        buffers.backend.rmsprop(
            buffers.values, buffers.gradients, self._slots["mean_square"], self._schedule, self.rho, self.epsilon
        )


class Adam(Optimizer):
    """Adaptive moments (Kingma & Ba 2015), in Keras' form and with Keras' ε.

    Args:
        learning_rate: η.
        beta_1: The decay of the running mean.
        beta_2: The decay of the running mean square.
        epsilon: ε.
        global_clipnorm: See `Optimizer`.
    """

    function = "adam"
    slots = ("m", "v")

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        global_clipnorm: float | None = None,
    ) -> None:
        super().__init__(learning_rate, global_clipnorm)
        self.beta_1 = _fraction(beta_1, "beta_1")
        self.beta_2 = _fraction(beta_2, "beta_2")
        self.epsilon = _positive(epsilon, "epsilon")

    def _update(self, buffers: Buffers) -> None:
        m, v = self._slots["m"], self._slots["v"]
        betas = (self.beta_1, self.beta_2)
        buffers.backend.adam(buffers.values, buffers.gradients, m, v, self._schedule, betas, self.epsilon)


_CLASSES: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}
_CLASSES |= {cls.__name__: cls for cls in _CLASSES.values()}


def get(identifier: str | dict | Optimizer) -> Optimizer:
    """Return an optimizer.

    Args:
        identifier: An optimizer, or its name: "adam", "rmsprop" or "sgd".

    Raises:
        ValueError: If there is none of that name.
    """
    return identifier if isinstance(identifier, Optimizer) else checks.choose(identifier, "optimizer", _CLASSES)


def _positive(value: float, name: str) -> float:
    if not 0 < float(value) < float("inf"):
        raise ValueError(f"{name} must be a positive number, not {value}")
    return float(value)


def _fraction(value: float, name: str) -> float:
    if not 0 <= float(value) < 1:
        raise ValueError(f"{name} must be from 0 to below 1, not {value}")
    return float(value)
