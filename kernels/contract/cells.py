"""The cells: hashable descriptions by which a backend picks its kernels. Each docstring states the cell's equations.

h' and c' are the states of the previous step. σ is the recurrent activation and φ is the activation. By default, σ is
the logistic function and φ is tanh.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Cell", "GRUCell", "LSTMCell", "SimpleRNNCell", "cell_names"]


@dataclass(frozen=True)
class Cell:
    """The properties that all cells have. Other code asks for a property, never for the class of a cell.

    features: F
    units: H
    dtype: "float32" or "float64"
    names: the names that `name` may have
    name: the name of the file with the cell's equations, in the folder `cells` of both backends
    gates: one letter for each block of H columns of the weights, in order; their number is G
    states: one letter for each part of the state, h first
    saved: one letter for each gate that `recurrent_gates` returns
    biases: the number of rows of the bias: 1, or 2 where W and U each have a bias
    """

    features: int
    units: int
    dtype: str

    names: ClassVar[tuple[str, ...]]
    gates: ClassVar[str]
    states: ClassVar[str] = "h"
    saved: ClassVar[str]
    usual_activations: ClassVar[tuple[str, ...]] = ("tanh", "sigmoid")

    @functools.cached_property
    def name(self) -> str:
        """The first of `names`, if a cell has no rule of its own."""
        return self.names[0]

    @property
    def activations(self) -> tuple[str, ...]:
        """The activations, in the order of `usual_activations`."""
        raise NotImplementedError

    @property
    def biases(self) -> int:
        """The number of rows of the bias. If it is more than one, the bias is [biases, GH]."""
        return 1

    @functools.cached_property
    def with_options(self) -> bool:
        """Whether the cell always needs the kernels with options: the plain kernels have the usual activations."""
        return self.activations != self.usual_activations


@dataclass(frozen=True)
class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers, Schmidhuber & Cummins 2000).

        i = σ(x W_i + h' U_i + b_i)    f = σ(x W_f + h' U_f + b_f)    g = φ(x W_g + h' U_g + b_g)
        o = σ(x W_o + h' U_o + b_o)    c = f ⊙ c' + i ⊙ g             h = o ⊙ φ(c)

        dc = dh ⊙ o ⊙ φ'(c) + dc'' ⊙ f''
        dG = (dc ⊙ g ⊙ i(1-i), dc ⊙ c' ⊙ f(1-f), dc ⊙ i ⊙ (1-g²), dh ⊙ φ(c) ⊙ o(1-o))

    dc'' and f'' belong to the next step. The derivatives are those of the usual activations.

    activation: φ, one of `CELL_ACTIVATIONS`
    recurrent_activation: σ, one of `CELL_ACTIVATIONS`
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    names: ClassVar[tuple[str, ...]] = ("lstm",)
    gates: ClassVar[str] = "ifgo"
    states: ClassVar[str] = "hc"
    saved: ClassVar[str] = "ifgo"

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ, σ)."""
        return self.activation, self.recurrent_activation


@dataclass(frozen=True)
class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014). By default the reset gate acts after the product with U, as in cuDNN.

        z = σ(x W_z + h' U_z + b_z)    r = σ(x W_r + h' U_r + b_r)    h = z ⊙ h' + (1 - z) ⊙ n
        n = φ(x W_n + b_n + r ⊙ (h' U_n + b'_n))     b is [2, 3H]: rows for W and for U; z and r take the sum of both
        n = φ(x W_n + b_n + (r ⊙ h') U_n)            without `reset_after`; b is [3H]

        dn = dh ⊙ (1 - z) ⊙ (1-n²)    dz = dh ⊙ (h' - n) ⊙ z(1-z)    dr = dn ⊙ (h' U_n + b'_n) ⊙ r(1-r)

    The gradients are those with `reset_after` and the usual activations. dh ⊙ z passes to h' directly.

    activation: φ, one of `CELL_ACTIVATIONS`
    recurrent_activation: σ, one of `CELL_ACTIVATIONS`
    reset_after: whether r multiplies h' U_n + b'_n; otherwise r multiplies h'
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    names: ClassVar[tuple[str, ...]] = ("gru", "gru_reset_before")
    gates: ClassVar[str] = "zrn"
    saved: ClassVar[str] = "zrn"

    @functools.cached_property
    def name(self) -> str:
        """The two forms, with `reset_after` and without, have one file each."""
        return self.names[0 if self.reset_after else 1]

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ, σ)."""
        return self.activation, self.recurrent_activation

    @property
    def biases(self) -> int:
        """2 with `reset_after`, otherwise 1."""
        return 2 if self.reset_after else 1


@dataclass(frozen=True)
class SimpleRNNCell(Cell):
    """Elman's network (Elman 1990).

        h = φ(x W + h' U + b)        dG = dh ⊙ φ'

    activation: φ, one of `ACTIVATIONS`
    """

    activation: str = "tanh"

    names: ClassVar[tuple[str, ...]] = ("simple_rnn",)
    gates: ClassVar[str] = "h"
    saved: ClassVar[str] = ""
    usual_activations: ClassVar[tuple[str, ...]] = ("tanh",)

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ,)."""
        return (self.activation,)


def cell_names() -> list[str]:
    """The names of all cells."""
    return [name for cell in Cell.__subclasses__() for name in cell.names]
