"""The arguments that all recurrent layers share, in groups. The layers' docstrings explain them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numlstm import checks, initializers, regularizers

__all__ = ["BaseArguments", "DropoutArguments", "SequenceArguments", "WeightArguments"]


@dataclass(eq=False, repr=False)
class WeightArguments:
    """Initializers and regularizers of the weights.

    Raises:
        ValueError, TypeError: If an argument is not valid.
    """

    use_bias: bool
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any

    def __post_init__(self) -> None:
        self.use_bias = checks.boolean(self.use_bias, "use_bias")
        self.kernel_initializer = initializers.get(self.kernel_initializer, "kernel_initializer")
        self.recurrent_initializer = initializers.get(self.recurrent_initializer, "recurrent_initializer")
        self.bias_initializer = initializers.get(self.bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(self.kernel_regularizer, "kernel_regularizer")
        self.recurrent_regularizer = regularizers.get(self.recurrent_regularizer, "recurrent_regularizer")
        self.bias_regularizer = regularizers.get(self.bias_regularizer, "bias_regularizer")


@dataclass(eq=False, repr=False)
class DropoutArguments:
    """Rates and seed of dropout in training.

    Raises:
        ValueError: If a rate is not from 0 to below 1.
        TypeError: If a rate is not a number.
    """

    dropout: float
    recurrent_dropout: float
    seed: int | None

    def __post_init__(self) -> None:
        self.dropout = checks.fraction(self.dropout, "dropout")
        self.recurrent_dropout = checks.fraction(self.recurrent_dropout, "recurrent_dropout")


@dataclass(eq=False, repr=False)
class SequenceArguments:
    """How the layer reads the sequence, and which outputs it returns.

    Raises:
        TypeError: If an argument is not a boolean.
    """

    return_sequences: bool
    return_state: bool
    go_backwards: bool
    stateful: bool
    zero_output_for_mask: bool

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            setattr(self, name, checks.boolean(value, name))


@dataclass(eq=False, repr=False)
class BaseArguments:
    """The arguments of `Layer`."""

    dtype: Any
    name: str | None
    input_shape: Sequence[int | None] | None
    others: Mapping[str, Any]
