"""Optimizers with running moments of the gradient: Adam, AdamW and Nadam."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.kernels import Array
from numlstm.optimizers.optimizer import Optimizer
from numlstm.optimizers.schedules import LearningRateSchedule
from numlstm.parameters import Buffers

__all__ = ["Adam", "AdamW", "Nadam"]


class Adam(Optimizer):
    """Adam, adaptive moments (Kingma & Ba 2015), in Keras' form with Keras' ε.

    Args:
        learning_rate: η.
        beta_1: The decay of the running mean of the gradient.
        beta_2: The decay of the running mean of the squared gradient.
        epsilon: ε.
        amsgrad: Whether to divide by the maximum of the mean square so far (Reddi et al. 2018).
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, others: As for `Optimizer`.
    """

    kernel = "adam"
    beta_1: float
    beta_2: float
    epsilon: float
    amsgrad: bool

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, others)
        self.beta_1 = checks.fraction(beta_1, "beta_1")
        self.beta_2 = checks.fraction(beta_2, "beta_2")
        self.epsilon = checks.positive(epsilon, "epsilon")
        self.amsgrad = checks.boolean(amsgrad, "amsgrad")

    @property
    def slots(self) -> tuple[str, ...]:
        """Both moments and, with AMSGrad, the maximum of the second moment."""
        return ("m", "v", "greatest") if self.amsgrad else ("m", "v")

    def _update(self, buffers: Buffers) -> None:
        state = self._slots["m"], self._slots["v"], self._slots.get("greatest")
        betas = self.beta_1, self.beta_2
        buffers.backend.adam(buffers.values, buffers.gradients, state, self._schedule, betas, self.epsilon)


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019). All variables decay unless they are excluded.

    Args:
        learning_rate: η.
        weight_decay: λ. A step multiplies each weight by 1 - ηλ.
        beta_1, beta_2, epsilon, amsgrad: As for `Adam`.
        clipnorm, clipvalue, global_clipnorm, name, others: As for `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        decay = checks.at_least_zero(weight_decay, "weight_decay")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, decay, clipnorm, clipvalue, global_clipnorm, name, **others
        )


class Nadam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016). The momentum grows towards beta_1 by powers of 0.96, as in Keras.

    Args:
        learning_rate: η.
        beta_1: The decay of the running mean of the gradient.
        beta_2: The decay of the running mean of the squared gradient.
        epsilon: ε.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name, others: As for `Optimizer`.
    """

    kernel = "nadam"
    beta_1: float
    beta_2: float
    epsilon: float

    def __init__(
        self,
        learning_rate: float | LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name, others)
        self.beta_1 = checks.fraction(beta_1, "beta_1")
        self.beta_2 = checks.fraction(beta_2, "beta_2")
        self.epsilon = checks.positive(epsilon, "epsilon")

    @property
    def slots(self) -> tuple[str, ...]:
        """Both moments. `_new_slots` adds the product of the momenta so far, a single number."""
        return ("m", "v")

    def _new_slots(self, buffers: Buffers) -> dict[str, Array]:
        product = buffers.backend.asarray(np.ones(1), "float64")
        return super()._new_slots(buffers) | {"product": product}

    def _update(self, buffers: Buffers) -> None:
        state = self._slots["m"], self._slots["v"], self._slots["product"]
        betas = self.beta_1, self.beta_2
        buffers.backend.nadam(buffers.values, buffers.gradients, state, self._schedule, betas, self.epsilon)
