"""The backward loop as one kernel: see `persistent.py`."""

from numba import cuda
from numba.cuda.types import int32, uint8, uint32

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence.arguments import Output, Sequence
from numlstm.kernels.cuda.recurrence.masking import has_output, multiplier_of, unless_reset
from numlstm.kernels.cuda.recurrence.persistent_block import (
    Span,
    add_dot,
    add_dot4,
    gates_of,
    of_slot,
    pitch_of,
    threads_of,
)
from numlstm.kernels.cuda.recurrence.tuples import reader
from numlstm.kernels.cuda.runtime.device import SIMULATED
from numlstm.kernels.cuda.runtime.launch import device_function, template
from numlstm.kernels.cuda.runtime.ptx import load4, quad_gather, quad_sum, shared_array

KEPT = {4: {104: 56, 112: 56, 120: 56, 128: 56}, 3: {}}
"""The weights that a thread keeps in registers if not all fit, by the number of gates and by the number of its weights.

Found by compiling.
"""
KEPT_WITH_OPTIONS = KEPT | {3: {96: 56}}


@template("real* real* real* real*", Output, Sequence, Span)
def backward(real, cell, units, rows, activations):
    """dG of every step, last to first, with dh_in = dG Uᵀ.

    All threads of a quad compute the cell of its unit, and each keeps the gradient of one slot. Each multiplies a
    quarter of all units' gradients with its quarter of the unit's row of U. For a cell with four gates, a quarter is
    one gate. The quad adds the four products.

    gates: [steps, B, 4H] overwritten with dG
    u: [H, GH] of three or four gates; each of the last slots takes one
    states: [steps + 1, B, S, H]
    carried: [B, S, H] the gradient of the final state, overwritten with that of the initial one
    dy: the outputs' gradients
    """
    page, with_options = page_of(cell), activations is not None
    cell_backward, passes_h = page.cell_backward, page.PASSES_H
    parts, read = len(page.STATES), reader(len(page.STATES))
    state_size = rows * parts
    threads = threads_of(units)
    gate_count = gates_of(page)
    first_slot = 4 - gate_count
    depth = -(-gate_count * units // 32) * 8
    stride = 4 * depth // gate_count  # From gate to gate, in the numbers of one quarter after the other.
    pitch = pitch_of(depth)
    width = 4 * pitch
    size = 2 * rows * width
    multipliers = rows * units if with_options else 1  # The recurrent dropout.
    kept = (KEPT_WITH_OPTIONS if with_options else KEPT)[gate_count].get(depth, depth)
    extra_size = (depth - kept) * threads
    extra_shape = extra_size if SIMULATED else 0

    @device_function
    def weight_of(u, unit, gate, other):
        """The weight of a gate of unit `other` in the unit's row of U; 0 beyond the last unit or gate.

        An `other` of `stride` or more counts on in the next gate.
        """
        if other >= stride:
            gate, other = gate + 1, other - stride
        return u[(unit * gate_count + gate) * units + other] if gate < gate_count and other < units else real(0)

    @device_function
    def load_weights(u, weights, extra, unit, lane, thread):
        """Load the weights into registers, and the rest into shared memory."""
        gate, first = int32(lane), int32(0)
        if gate_count != 4:
            gate, first = int32(lane * depth // stride), int32(lane * depth % stride)
        for k in range(kept, depth):
            extra[((k - kept) // 4 * threads + thread) * 4 + k % 4] = weight_of(u, unit, gate, first + k)
        for k in range(kept):
            weights[k] = weight_of(u, unit, gate, first + k)

    @device_function
    def product(weights, extra, exchange, at, thread):
        """The unit's dG Uᵀ."""
        a0 = a1 = real(0)
        for k in range(0, kept, 8):
            a0 = add_dot(a0, weights, k, load4(exchange, at + k))
            a1 = add_dot(a1, weights, k + 4, load4(exchange, at + k + 4))
        for k in range(kept, depth, 4):
            a0 = add_dot4(a0, load4(extra, (k - kept) * threads + 4 * thread), load4(exchange, at + k))
        return quad_sum(a0 + a1)

    def backward(gates, u, states, carried, dy, sequence, span):
        thread = cuda.threadIdx.x
        lane, unit = int32(thread & 3), int32(min(thread >> 2, units - 1))
        has_unit = thread >> 2 < units
        meets_u = has_unit and lane >= first_slot
        my_place = lane * pitch + unit
        if gate_count != 4:
            at = (lane - first_slot) * stride + unit
            my_place = at // depth * pitch + at % depth
        first, batch = cuda.blockIdx.x * rows, span.batch
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(kept, real)
        gate = cuda.local.array(rows, real)
        dy_next = cuda.local.array(rows, real)
        valid = cuda.local.array(rows, uint8)
        first_visible = cuda.local.array(rows, int32)
        d = cuda.local.array(state_size, real)
        after = cuda.local.array(state_size, real)
        before = cuda.local.array(state_size, real)
        taken = cuda.local.array(parts, real)
        reset_now = cuda.local.array(rows, uint8)
        multiplier = shared_array(multipliers, real, 16)
        extra = shared_array(extra_shape, real, 16)
        load_weights(u, weights, extra, unit, lane, thread)
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        last = span.steps - 1
        z_at = ((last * batch + first) * 4 + lane) * units + unit
        state_at = (last * batch + first) * parts * units + unit
        dy_at = (last - dy.first) * dy.step + first * dy.row + unit
        mask_at = last * sequence.mask.step + first * sequence.mask.row
        reset_at = last * sequence.resets.step + first * sequence.resets.row
        carried_at = first * parts * units + unit
        for row in range(rows):
            if first + row < batch:
                for part in range(parts):
                    at = row * parts + part
                    d[at] = carried[carried_at + at * units]
                    after[at] = states[state_at + (batch * parts + at) * units]
                    before[at] = states[state_at + at * units]
                gate[row] = gates[z_at + row * 4 * units]
                first_visible[row] = max(sequence.first_valid[first + row], dy.first)
                dy_next[row] = dy.values[dy_at + row * dy.row] if int32(last) >= first_visible[row] else real(0)
                valid[row] = sequence.mask.values[mask_at + row * sequence.mask.row]
                if with_options:
                    reset_now[row] = sequence.resets.values[reset_at + row * sequence.resets.row]
                    multiplier[row * units + unit] = multiplier_of(sequence, first + row, unit, real(1))
        # Threads beyond the last unit have now read what the owner overwrites in the first step.
        cuda.syncthreads()
        buffer = 0
        t = int32(last)
        while t >= 0:
            for row in range(rows):
                if first + row < batch:
                    gate_now, dy_now = gate[row], dy_next[row]
                    for part in range(parts):
                        taken[part] = before[row * parts + part]
                    # The loads of the step before run while this step computes.
                    if t > 0:
                        gate[row] = gates[z_at + (row - batch) * 4 * units]
                        for part in range(parts):
                            at = (row - batch) * parts + part
                            before[row * parts + part] = states[state_at + at * units]
                        is_visible = t > first_visible[row]
                        dy_next[row] = dy.values[dy_at - dy.step + row * dy.row] if is_visible else real(0)
                    if has_output(valid[row], sequence.zero_output):
                        d[row * parts] += dy_now
                    dz_now = real(0)
                    after_now, d_after = read(after, row * parts, 1), read(d, row * parts, 1)
                    for part in range(parts):
                        after[row * parts + part] = taken[part]
                    if valid[row] != 0:
                        if with_options:
                            for part in range(parts):
                                taken[part] = unless_reset(taken[part], reset_now[row])
                        saved = quad_gather(gate_now, lane)
                        dz, d_before = cell_backward(saved, read(taken, 0, 1), after_now, d_after, activations)
                        if passes_h:
                            d[row * parts] = d_before[0]
                        if parts > 1:
                            d[row * parts + parts - 1] = d_before[parts - 1]
                        dz_now = of_slot(dz, lane)
                        if meets_u:
                            exchange[uint32(buffer + row * width + my_place)] = dz_now
                    if has_unit:
                        gates[z_at + row * 4 * units] = dz_now
            cuda.syncthreads()
            if t > 0:
                mask_at -= sequence.mask.step
                reset_at -= sequence.resets.step
            for row in range(rows):
                if first + row < batch:
                    if valid[row] != 0:
                        dh_in = product(weights, extra, exchange, buffer + row * width + lane * pitch, thread)
                        factor = multiplier[row * units + unit] if with_options else real(1)
                        d[row * parts] = dh_in * factor + d[row * parts] if passes_h else dh_in * factor
                    if with_options:
                        for part in range(parts):
                            d[row * parts + part] = unless_reset(d[row * parts + part], reset_now[row])
                    valid[row] = sequence.mask.values[mask_at + row * sequence.mask.row]
                    if with_options:
                        reset_now[row] = sequence.resets.values[reset_at + row * sequence.resets.row]
            buffer = rows * width - buffer
            z_at -= batch * 4 * units
            state_at -= batch * parts * units
            dy_at -= dy.step
            t = int32(t - 1)
        for row in range(rows):
            if has_unit and first + row < batch:
                if lane == 0:
                    carried[carried_at + row * parts * units] = d[row * parts]
                elif lane == 1 and parts > 1:
                    carried[carried_at + (row * parts + parts - 1) * units] = d[row * parts + parts - 1]

    return backward, threads, extra_size * real.bitwidth // 8
