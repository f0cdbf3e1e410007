"""Both directions of a bidirectional layer at once, in one parallel region whose chunks are split between them.

With both directions, even a batch of one row has work for two threads.
"""

from numlstm.kernels.cpu.products.gradients import input_gradient
from numlstm.kernels.cpu.recurrence.kernels import kernels_of
from numlstm.kernels.cpu.recurrence.passes import (
    begin_backward,
    begin_forward,
    end_backward,
    of_input,
    of_weights,
    recurrent_backward,
    recurrent_forward,
)
from numlstm.kernels.cpu.recurrence.plan import half, pair_division, path, step_work, weight_rows

__all__ = ["recurrent_backward_pair", "recurrent_forward_pair"]


def recurrent_forward_pair(cell, weights, inputs, traces, y):
    """z = x W + h' U + b, then the cell, from the first step to the last."""
    steps, batch, _ = inputs[0].x.shape
    by_units, chunks = pair_division(cell, steps, batch, cell.features + cell.units)
    if chunks == 0:
        for each in zip(weights, inputs, traces, y, strict=True):
            recurrent_forward(cell, *each)
        return
    with_options = _with_options(cell, inputs)
    kernel = kernels_of(cell.name, with_options).forward
    first, second = (begin_forward(cell, *each, with_options) for each in zip(weights, inputs, traces, y, strict=True))
    for trace in traces:
        trace.kernel_name = path(by_units, chunks, with_options, True)
    for t in range(steps if by_units else 1):
        part = (t, t + 1, True) if by_units else (0, steps, False)
        kernel.share_pair(cell.dtype, chunks, (*first, *part), (*second, *part))


def recurrent_backward_pair(cell, weights, inputs, traces, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    steps, batch, _ = inputs[0].x.shape
    by_units, chunks = pair_division(cell, steps, batch, cell.units)
    if chunks == 0:
        for each in zip(weights, inputs, traces, dy, gradients, strict=True):
            recurrent_backward(cell, *each)
        return
    with_options = _with_options(cell, inputs)
    kernels = kernels_of(cell.name, with_options)
    first, second = (
        begin_backward(cell, *each, with_options) for each in zip(weights, inputs, traces, dy, gradients, strict=True)
    )
    # Step -1 is needed in the same cases as in `recurrent_backward`.
    end = 0 if all(each.state is None for each in gradients) and not kernels.resets_h else -1
    for t in range(steps - 1, end - 1, -1) if by_units else [end]:
        part = (t, t + 1, True) if by_units else (end, steps, False)
        kernels.backward.share_pair(cell.dtype, chunks, (*first, *part), (*second, *part))
    for trace, each in zip(traces, gradients, strict=True):
        end_backward(cell, trace, each)
    work = step_work(cell, steps * batch, 1)
    wanted = [each for each in zip(weights, traces, (each.x for each in gradients), strict=True) if each[2] is not None]
    chunks = half(work * cell.features, steps * batch) if len(wanted) == 2 else 0
    calls = [of_input(cell, *each, max(1, chunks)) for each in wanted]
    _share(input_gradient, cell, chunks, calls)
    chunks = half(work * weight_rows(cell), weight_rows(cell))
    both = [of_weights(cell, *each, max(1, chunks)) for each in zip(inputs, traces, gradients, strict=True)]
    for (kernel, first), (_, second) in zip(*both, strict=True):
        _share(kernel, cell, chunks, [first, second])


def _share(kernel, cell, chunks, calls):
    """Run a kernel for both directions, with `chunks` chunks each. 0: one after the other, on this thread."""
    if chunks:
        kernel.share_pair(cell.dtype, chunks, *calls)
    else:
        for call in calls:
            kernel.share(cell.dtype, 1, *call)


def _with_options(cell, inputs):
    return cell.with_options or any(each.with_options for each in inputs)
