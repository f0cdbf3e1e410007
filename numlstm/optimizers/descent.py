"""Gradient descent: SGD and RMSprop."""

from __future__ import annotations

from typing import Any

from numlstm import checks
from numlstm.optimizers.optimizer import Optimizer
from numlstm.optimizers.schedules import LearningRateSchedule
from numlstm.parameters import Buffers

__all__ = ["SGD", "RMSprop"]


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum v - η g; w += v, or w += momentum v - η g with Nesterov.

    Args:
        learning_rate: η.
        momentum: From 0 to below 1.
        nesterov: Whether to use Nesterov momentum (Nesterov 1983).
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, others: As for `Optimizer`.
    """

    kernel = "sgd"
    momentum: float
    nesterov: bool

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, others)
        self.momentum = checks.fraction(momentum, "momentum")
        self.nesterov = checks.boolean(nesterov, "nesterov")

    @property
    def slots(self) -> tuple[str, ...]:
        """The velocity; nothing without momentum."""
        return ("velocity",) if self.momentum else ()

    def _update(self, buffers: Buffers) -> None:
        velocity = self._slots.get("velocity")
        buffers.backend.sgd(buffers.values, buffers.gradients, velocity, self._schedule, self.momentum, self.nesterov)


class RMSprop(Optimizer):
    """Divides the gradient by its running root mean square (Tieleman & Hinton 2012). ε is in the root, as in Keras.

    Args:
        learning_rate: η.
        rho: The decay of the running means.
        momentum: The fraction of a step that is added to the next step.
        epsilon: ε.
        centered: Whether to divide by the running standard deviation instead (Graves 2013).
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, others: As for `Optimizer`.
    """

    kernel = "rmsprop"
    rho: float
    momentum: float
    epsilon: float
    centered: bool

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, others)
        self.rho = checks.fraction(rho, "rho")
        self.momentum = checks.fraction(momentum, "momentum")
        self.epsilon = checks.positive(epsilon, "epsilon")
        self.centered = checks.boolean(centered, "centered")

    @property
    def slots(self) -> tuple[str, ...]:
        """The running means and, with momentum, the velocity."""
        return ("mean_square", *(["mean"] if self.centered else []), *(["velocity"] if self.momentum else []))

    def _update(self, buffers: Buffers) -> None:
        state = self._slots["mean_square"], self._slots.get("mean"), self._slots.get("velocity")
        buffers.backend.rmsprop(
            buffers.values, buffers.gradients, state, self._schedule, self.rho, self.momentum, self.epsilon
        )
