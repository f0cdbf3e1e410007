"""The cells: the hashable descriptions by which a backend picks its kernels. A cell's equations stand in its docstring.

h', c' are the states of the step before; σ is the recurrent activation and φ the activation, by default the logistic
function and tanh.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

__all__ = ["Cell", "GRUCell", "LSTMCell", "SimpleRNNCell"]


@dataclass(frozen=True)
class Cell:
    """What all cells have. Nobody asks which class a cell is: its properties say what differs.

    features: F
    units: H
    dtype: "float32" or "float64"
    name: of the file that holds its equations, in the folder `cells` of both backends
    gates: a letter for each block of H columns of the weights, in their order: G of them
    states: a letter for each part of the state, h first
    saved: a letter for each gate that `recurrent_gates` gives
    biases: how many rows the bias has; one, or one for W and one for U
    """

    features: int
    units: int
    dtype: str

    name: ClassVar[str]
    gates: ClassVar[str]
    states: ClassVar[str] = "h"
    saved: ClassVar[str]
    usual_activations: ClassVar[tuple[str, ...]] = ("tanh", "sigmoid")

    @property
    def activations(self) -> tuple[str, ...]:
        """Its activations, in the order of `usual_activations`."""
        raise NotImplementedError

    @property
    def biases(self) -> int:
        """How many rows the bias has; more than one: [biases, GH]."""
        return 1

    @functools.cached_property
    def with_options(self) -> bool:
        """Whether it takes the kernels with options whatever its inputs: the plain ones have the usual activations."""
        return self.activations != self.usual_activations


@dataclass(frozen=True)
class LSTMCell(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate of Gers, Schmidhuber & Cummins 2000).

        i = σ(x W_i + h' U_i + b_i)    f = σ(x W_f + h' U_f + b_f)    g = φ(x W_g + h' U_g + b_g)
        o = σ(x W_o + h' U_o + b_o)    c = f ⊙ c' + i ⊙ g             h = o ⊙ φ(c)

        dc = dh ⊙ o ⊙ φ'(c) + dc'' ⊙ f''
        dG = (dc ⊙ g ⊙ i(1-i), dc ⊙ c' ⊙ f(1-f), dc ⊙ i ⊙ (1-g²), dh ⊙ φ(c) ⊙ o(1-o))

    (c'' and f'' belong to the step after; the derivatives are written for the usual activations.)

    activation: φ, one of `CELL_ACTIVATIONS`
    recurrent_activation: σ, one of `CELL_ACTIVATIONS`
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"

    name: ClassVar[str] = "lstm"
    gates: ClassVar[str] = "ifgo"
    states: ClassVar[str] = "hc"
    saved: ClassVar[str] = "ifgo"

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ, σ)."""
        return self.activation, self.recurrent_activation


@dataclass(frozen=True)
class GRUCell(Cell):
    """The gated recurrent unit (Cho et al. 2014), with the reset gate after the product with U as cuDNN has it.

        z = σ(x W_z + h' U_z + b_z)    r = σ(x W_r + h' U_r + b_r)    h = z ⊙ h' + (1 - z) ⊙ n
        n = φ(x W_n + b_n + r ⊙ (h' U_n + b'_n))     b is [2, 3H], that of W and that of U; z and r take the sum of both
        n = φ(x W_n + b_n + (r ⊙ h') U_n)            without `reset_after`; b is [3H]

        dn = dh ⊙ (1 - z) ⊙ (1-n²)    dz = dh ⊙ (h' - n) ⊙ z(1-z)    dr = dn ⊙ (h' U_n + b'_n) ⊙ r(1-r)

    (The gradients are those with `reset_after` and the usual activations.) The cell itself passes dh ⊙ z on to h'.

    activation: φ, one of `CELL_ACTIVATIONS`
    recurrent_activation: σ, one of `CELL_ACTIVATIONS`
    reset_after: whether r meets what h' gives, instead of h' itself
    """

    activation: str = "tanh"
    recurrent_activation: str = "sigmoid"
    reset_after: bool = True

    gates: ClassVar[str] = "zrn"
    saved: ClassVar[str] = "zrn"

    @property
    def name(self) -> str:  # type: ignore[override]
        """Each of the two has a page of its own."""
        return "gru" if self.reset_after else "gru_reset_before"

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ, σ)."""
        return self.activation, self.recurrent_activation

    @property
    def biases(self) -> int:
        """Two with `reset_after`."""
        return 2 if self.reset_after else 1


@dataclass(frozen=True)
class SimpleRNNCell(Cell):
    """Elman's network (Elman 1990).

        h = φ(x W + h' U + b)        dG = dh ⊙ φ'

    activation: φ, one of `ACTIVATIONS`
    """

    activation: str = "tanh"

    name: ClassVar[str] = "simple_rnn"
    gates: ClassVar[str] = "h"
    saved: ClassVar[str] = ""
    usual_activations: ClassVar[tuple[str, ...]] = ("tanh",)

    @property
    def activations(self) -> tuple[str, ...]:
        """(φ,)."""
        return (self.activation,)
