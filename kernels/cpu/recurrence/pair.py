"""Both directions of a bidirectional LSTM at once: one parallel region, whose chunks are split between them.

So even one row has work for two threads.
"""

from dataclasses import replace

from numlstm.kernels import RecurrentPlan
from numlstm.kernels.cpu.products.gradients import input_gradient, weight_gradients
from numlstm.kernels.cpu.recurrence.loops import (
    backward_steps,
    backward_steps_general,
    forward_steps,
    forward_steps_general,
)
from numlstm.kernels.cpu.recurrence.passes import (
    begin_backward,
    begin_forward,
    division,
    end_backward,
    lstm_backward,
    lstm_forward,
    lstm_plan,
    of_input,
    of_weights,
    step_work,
    weight_rows,
)
from numlstm.kernels.cpu.runtime.launch import threads_for


def lstm_forward_pair(cell, weights, inputs, traces, y):
    """z = x W + h' U + b, then the gates: c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c."""
    steps, batch, _ = inputs[0].x.shape
    by_units, chunks = _division(cell, steps, batch, cell.features + cell.units)
    if chunks == 0:
        for each in zip(weights, inputs, traces, y, strict=True):
            lstm_forward(cell, *each)
        return
    general = _general(cell, inputs)
    kernel = forward_steps_general if general else forward_steps
    first, second = (begin_forward(cell, *each, general) for each in zip(weights, inputs, traces, y, strict=True))
    for trace in traces:
        trace.kernel_path = _path(by_units, chunks, general)
    for t in range(steps if by_units else 1):
        part = (t, t + 1, True) if by_units else (0, steps, False)
        kernel.share_pair(cell.dtype, chunks, (*first, *part), (*second, *part))


def lstm_plan_pair(cell, shape, training, general=False):
    """What `lstm_forward_pair` would run, from the shape alone."""
    steps, batch = shape
    plan = lstm_plan(cell, shape, training, general)
    by_units, chunks = _division(cell, steps, batch, cell.features + cell.units)
    if chunks == 0:
        return replace(plan, reason=f"one direction after the other: {plan.reason}", nbytes=2 * plan.nbytes)
    reason = "each direction has threads of its own, in one parallel region"
    return RecurrentPlan(_path(by_units, chunks, general or cell.general), reason, 2 * plan.nbytes)


def lstm_backward_pair(cell, weights, inputs, traces, dy, gradients):
    """dG from the step after to the step before, then dW = Σ xᵀ dG, dU = Σ h'ᵀ dG, db = Σ dG, dx = dG Wᵀ."""
    steps, batch, _ = inputs[0].x.shape
    by_units, chunks = _division(cell, steps, batch, cell.units)
    if chunks == 0:
        for each in zip(weights, inputs, traces, dy, gradients, strict=True):
            lstm_backward(cell, *each)
        return
    general = _general(cell, inputs)
    kernel = backward_steps_general if general else backward_steps
    first, second = (
        begin_backward(cell, *each, general) for each in zip(weights, inputs, traces, dy, gradients, strict=True)
    )
    # Step -1 takes the gradients over to the initial state.
    end = 0 if all(each.h is None and each.c is None for each in gradients) else -1
    for t in range(steps - 1, end - 1, -1) if by_units else [end]:
        part = (t, t + 1, True) if by_units else (end, steps, False)
        kernel.share_pair(cell.dtype, chunks, (*first, *part), (*second, *part))
    for trace, each in zip(traces, gradients, strict=True):
        end_backward(cell, trace, each)
    work = step_work(cell, steps * batch, 1)
    wanted = [each for each in zip(weights, traces, (each.x for each in gradients), strict=True) if each[2] is not None]
    chunks = _half(work * cell.features, steps * batch) if len(wanted) == 2 else 0
    calls = [of_input(cell, *each, max(1, chunks)) for each in wanted]
    _share(input_gradient, cell, chunks, calls)
    chunks = _half(work * weight_rows(cell), weight_rows(cell))
    each_call = zip(inputs, traces, gradients, strict=True)
    _share(weight_gradients, cell, chunks, [of_weights(cell, *each, max(1, chunks)) for each in each_call])


def _share(kernel, cell, chunks, calls):
    """Call a kernel for both directions, `chunks` chunks each; 0: one after the other, on this thread."""
    if chunks:
        kernel.share_pair(cell.dtype, chunks, *calls)
    else:
        for call in calls:
            kernel.share(cell.dtype, 1, *call)


def _general(cell, inputs):
    return cell.general or any(each.general for each in inputs)


def _division(cell, steps, batch, depth):
    """Whether the passes are shared by units instead of by rows, and into how many chunks each; 0: not at once."""
    by_units, chunks = division(cell, steps, batch, depth)
    if by_units:
        return chunks > 2, -(-chunks // 2)
    return False, _half(steps * step_work(cell, batch, depth), batch)


def _half(work, parts):
    """Into how many chunks each of two calls falls, of so much work and so many parts each; 0: none needs a thread."""
    threads = threads_for(2 * work, 2 * parts)
    if threads == 1:
        return 0
    # An odd number of threads has even shares of twice as many chunks only.
    return threads // 2 if threads % 2 == 0 else min(threads, parts)


def _path(by_units, chunks, general):
    shared = f"both directions, {'units' if by_units else 'rows'} over {chunks} thread{'s' if chunks > 1 else ''} each"
    return f"{shared}, general" if general else shared
