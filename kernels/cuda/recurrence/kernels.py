"""The kernels of a cell's passes that can be made ready before the first call.

The persistent ones are missing: they are made for a number of units, when it is known. So are the steps with options,
which are made for the cell's activations.
"""

from numlstm.kernels.cuda.cells import CELLS
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.recurrence import masking, steps
from numlstm.kernels.cuda.runtime.memory import copy


def kernels_of(use):
    """What the passes of a `RecurrentUse` run."""
    shared = (multiply, multiply_transposed, sum_rows, copy, masking.copy_valid, masking.find_first)
    kernels = [kernel for function in shared for kernel in function.kernels_used]
    if use.with_options:
        kernels += [*steps.write_h_in.kernels_used, steps.initial_gradient]
    elif len(CELLS[use.cell].SLOTS) != 4 or CELLS[use.cell].RESET_GATES is not None:
        kernels += [steps.step_forward[use.cell, None], steps.step_backward[use.cell, None], steps.initial_gradient]
    return list(dict.fromkeys(kernels))
