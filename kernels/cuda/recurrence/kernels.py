"""The kernels of a cell's passes that can be compiled before the first call.

The persistent kernels are missing, because they are made for a known number of units. The steps with options are
missing, because they are made for the cell's activations.
"""

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.products.gradients import multiply_transposed, sum_rows
from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.recurrence import masking, steps
from numlstm.kernels.cuda.recurrence.products import add_biases
from numlstm.kernels.cuda.recurrence.reset_before import reset_backward, reset_forward
from numlstm.kernels.cuda.runtime.memory import copy


def kernels_of(use):
    """Return the kernels that the passes of a `RecurrentUse` run."""
    shared = (multiply, multiply_transposed, sum_rows, copy, masking.copy_valid, masking.find_first)
    kernels = [kernel for function in shared for kernel in function.kernels_used]
    page = page_of(use.cell)
    if any(block is None and gate is not None for block, gate in zip(page.INPUT_GATES, page.STATE_GATES, strict=True)):
        kernels.append(add_biases[use.cell,])
    if use.with_options:
        kernels += [*steps.write_h_in.kernels_used, steps.initial_gradient]
    elif len(page.SLOTS) != 4 or page.RESET_GATES is not None:
        kernels += [steps.step_forward[use.cell, None], steps.step_backward[use.cell, None], steps.initial_gradient]
        if page.RESET_GATES is not None:
            kernels += [reset_forward[use.cell, None], reset_backward[use.cell, None]]
    return list(dict.fromkeys(kernels))
