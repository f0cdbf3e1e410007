"""The loop through time as one kernel, for cells with four slots. A block has some rows of the batch for all steps.

Four neighbouring threads, a quad, compute one unit. They read their recurrent weights once, into registers, and those
that do not fit into shared memory. A step needs one barrier. Threads see each other's results through two buffers in
shared memory that take turns. Threads beyond the last unit repeat the last unit. In the backward pass they write
nothing, because they might read values that are already overwritten.

Whether a row's step is masked is the same for the whole block, so a masked step skips the product.
"""

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence.arguments import activation_indices, output_of, sequence_of
from numlstm.kernels.cuda.recurrence.persistent_backward import backward
from numlstm.kernels.cuda.recurrence.persistent_block import Span, States, gates_of
from numlstm.kernels.cuda.recurrence.persistent_forward import forward
from numlstm.kernels.cuda.runtime.device import multiprocessors, shared_bytes

# The keys are the number of gates that take a part of U. The values were found by compiling.

MOST_UNITS = {4: {"float32": 128, "float64": 48}, 3: {"float32": 128, "float64": 72}}
"""The most units of one block, if its shared memory has room for the weights that do not fit into registers."""

UNITS_IN_REGISTERS = {4: 96, 3: 117}
"""Up to this many units, all weights fit into registers."""

SHARED_BYTES = {4: 152 * 1024, 3: 84 * 1024}
"""The shared memory that more units need."""

ROWS = {
    4: {"float32": [(64, 4), (95, 2)], "float64": [(32, 4)]},
    3: {"float32": [(96, 4)], "float64": [(40, 4), (48, 2)]},
}
"""(units, rows): with at most this many units, a block can have this many rows."""

ROWS_WITH_OPTIONS = ROWS | {4: {"float32": [(64, 4), (80, 2)], "float64": [(32, 4)]}}
"""With more rows, the compiler does not unroll the loop over rows."""


def most_units(cell, gpu=None):
    """The most units that one block can hold; 0 for a cell with one slot, or with two products a step.

    gpu: a `GPU` that need not be here; None: this machine's
    """
    page = page_of(cell.name)
    if len(page.SLOTS) != 4 or page.RESET_GATES is not None:
        return 0
    gates = gates_of(page)
    most = MOST_UNITS[gates][cell.dtype]
    room = shared_bytes() if gpu is None else gpu.shared_bytes
    return most if room >= SHARED_BYTES[gates] else min(most, UNITS_IN_REGISTERS[gates])


def rows_of_a_block(cell, batch, with_options, gpu=None):
    """The fewest rows with which each block has a multiprocessor, because the rows of a block wait for each other."""
    blocks = multiprocessors() if gpu is None else gpu.multiprocessors
    limits = (ROWS_WITH_OPTIONS if with_options else ROWS)[gates_of(page_of(cell.name))][cell.dtype]
    most = next((rows for limit, rows in limits if cell.units <= limit), 1)
    rows = 1
    while rows < most and batch > rows * blocks:
        rows *= 2
    return rows


def run_forward(cell, weights, inputs, trace, y, span):
    """Run steps `span` of a sequence, whose z = x W + b are in the trace."""
    (begin, end), batch, training = span, y.shape[1], trace.carried is not None
    activations = activation_indices(cell, inputs)
    rows = rows_of_a_block(cell, batch, activations is not None)
    # Without training the two states take turns, and every step of the call writes to the same one.
    last = end if training else 1 - trace.last
    after = trace.states[trace.last + 1] if training else trace.states[last]
    states = States(trace.states[trace.last], after, trace.states.strides[0] if training else 0)
    forward[cell.name, cell.units, rows, activations].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, states, output_of(y, trace),
        sequence_of(inputs, trace), Span(begin, end - begin, batch), int(training),
    )  # fmt: skip
    trace.last = last


def run_backward(cell, weights, inputs, trace, dy, wanted):
    """Run all steps, last to first, from the gradient of the final state to that of the initial one."""
    if not trace.steps:
        return
    batch, activations = dy.shape[1], activation_indices(cell, inputs)
    rows = rows_of_a_block(cell, batch, activations is not None)
    backward[cell.name, cell.units, rows, activations].launch(
        cell.dtype, -(-batch // rows), trace.gates, weights.recurrent_kernel, trace.states, trace.carried,
        output_of(dy, trace), sequence_of(inputs, trace), Span(0, trace.steps, batch),
    )  # fmt: skip
