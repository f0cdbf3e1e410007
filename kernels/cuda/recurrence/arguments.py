"""The arguments of the kernels of both paths, in groups."""

from typing import NamedTuple

from numlstm.kernels import ACTIVATIONS
from numlstm.kernels.cuda.runtime.signature import Bools, Int, Ints, Reals


class Flags(NamedTuple):
    """A flag for every step and row.

    values: a view of bools, or a single bool with strides of zero
    """

    values: Bools
    step: Int
    row: Int


class Sequence(NamedTuple):
    """The options of a sequence.

    mask: whether a step is valid
    first_valid: [B] each row's first valid step
    zero_output: whether the output of a masked step is zero
    resets: whether a row starts a new sequence; read with options only
    dropout: [B, H] view of multipliers, its rows `dropout_row` apart; read if `dropped`, with options only
    """

    mask: Flags
    first_valid: Ints
    zero_output: Int
    resets: Flags
    dropout: Reals
    dropout_row: Int
    dropped: Int


def sequence_of(inputs, trace):
    """Return the options of these inputs as kernels take them."""
    dropout = inputs.recurrent_dropout
    return Sequence(
        mask=_flags(inputs.mask, trace.valid),
        first_valid=trace.first_valid,
        zero_output=int(inputs.zero_output),
        resets=_flags(inputs.reset, trace.never),
        dropout=trace.states if dropout is None else dropout,
        dropout_row=0 if dropout is None else dropout.strides[0],
        dropped=int(dropout is not None),
    )


def _flags(view, single):
    return Flags(single, 0, 0) if view is None else Flags(view, *view.strides)


def activation_indices(cell, inputs):
    """The `activations` of the kernels: the indices of the cell's activations, or None for the plain kernels."""
    return indices_of(cell) if cell.with_options or inputs.with_options else None


def indices_of(cell):
    """The indices of a cell's activations."""
    return tuple(ACTIVATIONS.index(activation) for activation in cell.activations)


class Rows(NamedTuple):
    """[R, H] view, its rows `row` apart."""

    values: Reals
    row: Int


class Step(NamedTuple):
    """The index of the step, and the numbers of steps, units and rows."""

    t: Int
    steps: Int
    units: Int
    batch: Int


class Output(NamedTuple):
    """The last outputs of a sequence, or their gradients.

    values: [n, B, H] view, its steps and rows `step` and `row` apart
    first: the step of the first output
    """

    values: Reals
    step: Int
    row: Int
    first: Int


def output_of(y, trace):
    """Return the last outputs as kernels take them."""
    return Output(y, *y.strides[:2], trace.steps - len(y))
