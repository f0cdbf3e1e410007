"""The forward loop as one kernel: see `persistent.py`."""

from numba import cuda
from numba.cuda.types import int32, uint8, uint32

from numlstm.kernels.cuda.cells import page_of
from numlstm.kernels.cuda.recurrence.arguments import Output, Sequence
from numlstm.kernels.cuda.recurrence.masking import h_in_of, multiplier_of, unless_reset, visible
from numlstm.kernels.cuda.recurrence.persistent_block import (
    Span,
    States,
    add_dot,
    add_dot4,
    gates_of,
    pitch_of,
    threads_of,
)
from numlstm.kernels.cuda.recurrence.tuples import reader
from numlstm.kernels.cuda.runtime.device import SIMULATED
from numlstm.kernels.cuda.runtime.launch import device_function, template
from numlstm.kernels.cuda.runtime.ptx import load4, quad_gather, quad_scatter_sum, shared_array

KEPT = {4: {28: 24, 32: 24}, 3: {}}
"""The weights of a gate that a thread keeps in registers if not all fit, by the number of gates and of weights.

More units take more threads, with fewer registers each. Found by compiling: with other numbers, some GPU spills.
"""


@template("real* real*", States, Output, Sequence, Span, "int")
def forward(real, cell, units, rows, activations):
    """z += h_in U, then the cell.

    A thread multiplies a quarter of h_in with the weights of all gates of its unit. The quad adds the products, so that
    each thread has z of one slot, and exchanges the four gates.

    gates: [steps, B, 4H] z of the input, overwritten with the gates if `keep`
    u: [H, GH] of three or four gates; each of the last slots takes one
    """
    page, with_options = page_of(cell), activations is not None
    activate_slot, update = page.activate_slot, page.update
    updated = -1 if page.UPDATED_SLOT is None else page.UPDATED_SLOT
    gate_count = gates_of(page)
    parts, read = len(page.STATES), reader(len(page.STATES))
    state_size = rows * parts
    threads = threads_of(units)
    depth = -(-units // 16) * 4
    pitch = pitch_of(depth)
    width = 4 * pitch
    size = 2 * rows * width
    multipliers = rows * width if with_options else 1  # The recurrent dropout, at the places of h in `exchange`.
    kept = KEPT[gate_count].get(depth, depth)
    held, extra_size = gate_count * kept, gate_count * (depth - kept) * threads
    extra_shape = extra_size if SIMULATED else 0  # On the GPU, 0 stands for the launch's dynamic memory.

    @device_function
    def load_weights(u, weights, extra, unit, lane, thread):
        """Load the weights into registers, and the rest into shared memory."""
        u_at, left = lane * depth * gate_count * units + unit, units - lane * depth
        for gate in range(gate_count):
            for k in range(kept, depth):
                weight = u[u_at + (k * gate_count + gate) * units] if k < left else real(0)
                extra[((gate * (depth - kept) + k - kept) // 4 * threads + thread) * 4 + k % 4] = weight
        for gate in range(gate_count):
            for k in range(kept):
                weights[gate * kept + k] = u[u_at + (k * gate_count + gate) * units] if k < left else real(0)

    @device_function
    def product(weights, extra, exchange, at, lane, thread):
        """h_in U for the thread's slot."""
        sums = cuda.local.array(4, real)
        for slot in range(4):
            sums[slot] = real(0)
        for k in range(0, kept, 4):
            v = load4(exchange, at + k)
            for gate in range(gate_count):
                slot = 4 - gate_count + gate
                sums[slot] = add_dot(sums[slot], weights, gate * kept + k, v)
        for k in range(kept, depth, 4):
            v = load4(exchange, at + k)
            for gate in range(gate_count):
                slot = 4 - gate_count + gate
                w = load4(extra, (gate * (depth - kept) + k - kept) * threads + 4 * thread)
                sums[slot] = add_dot4(sums[slot], w, v)
        return quad_scatter_sum(sums[0], sums[1], sums[2], sums[3], lane)

    def forward(gates, u, states, y, sequence, span, keep):
        thread = cuda.threadIdx.x
        lane, unit = int32(thread & 3), int32(min(thread >> 2, units - 1))
        first, batch = cuda.blockIdx.x * rows, span.batch
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(held, real)
        state = cuda.local.array(state_size, real)
        z = cuda.local.array(rows, real)
        valid = cuda.local.array(rows, uint8)
        reset_next = cuda.local.array(rows, uint8)
        multiplier = shared_array(multipliers, real, 16)
        first_visible = cuda.local.array(rows, int32)
        extra = shared_array(extra_shape, real, 16)
        load_weights(u, weights, extra, unit, lane, thread)
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        cuda.syncthreads()
        my_place = int32(unit // depth * pitch + unit % depth)
        z_at, state_at = (first * 4 + lane) * units + unit, first * parts * units + unit
        first_written = int32(y.first - span.begin)
        y_at = (span.begin - y.first) * y.step + first * y.row + unit
        mask_at = span.begin * sequence.mask.step + first * sequence.mask.row
        reset_at = span.begin * sequence.resets.step + first * sequence.resets.row
        for row in range(rows):
            if first + row < batch:
                for part in range(parts):
                    state[row * parts + part] = states.before[state_at + (row * parts + part) * units]
                z[row] = gates[z_at + row * 4 * units]
                valid[row] = sequence.mask.values[mask_at + row * sequence.mask.row]
                first_visible[row] = sequence.first_valid[first + row] - span.begin
                h_in = state[row * parts]
                if with_options:
                    reset_now = sequence.resets.values[reset_at + row * sequence.resets.row]
                    for part in range(parts):
                        state[row * parts + part] = unless_reset(state[row * parts + part], reset_now)
                    factor = multiplier_of(sequence, first + row, unit, real(1))
                    multiplier[row * width + my_place] = factor
                    h_in = h_in_of(h_in, factor, reset_now)
                    reset_next[row] = reset_now
                if lane == 0:
                    exchange[row * width + my_place] = h_in
        if lane > 1:
            state_at += (parts - 1) * units
        read_from, write_to = 0, rows * width
        cuda.syncthreads()
        t, last = int32(0), int32(span.steps - 1)
        while t <= last:
            for row in range(rows):
                if first + row < batch:
                    z_now, valid_now = z[row], valid[row]
                    if t < last:
                        z[row] = gates[z_at + (batch + row) * 4 * units]
                        valid[row] = sequence.mask.values[mask_at + sequence.mask.step + row * sequence.mask.row]
                        if with_options:
                            at = reset_at + sequence.resets.step + row * sequence.resets.row
                            reset_next[row] = sequence.resets.values[at]
                    if valid_now != 0:
                        at = read_from + row * width + lane * pitch
                        z_now += product(weights, extra, exchange, at, lane, thread)
                        gate = activate_slot(z_now, lane, activations)
                        updated_gates, after = update(quad_gather(gate, lane), read(state, row * parts, 1), activations)
                        state[row * parts] = after[0]
                        state[row * parts + parts - 1] = after[parts - 1]
                        if keep:
                            gates[z_at + row * 4 * units] = updated_gates[updated] if lane == updated else gate
                    h = state[row * parts]
                    h_in = h
                    if with_options:
                        h_in = h_in_of(h, multiplier[row * width + my_place], reset_next[row])
                    # Two branches, not one for each lane: a warp runs different branches one after the other.
                    if lane == 0:
                        exchange[uint32(write_to + row * width + my_place)] = h_in
                        if t >= first_written:
                            is_visible = visible(t, first_visible[row], valid_now, sequence.zero_output)
                            y.values[y_at + row * y.row] = h if is_visible else real(0)
                    else:
                        states.after[state_at + row * parts * units] = (
                            h if lane == 1 else state[row * parts + parts - 1]
                        )
                    if with_options:
                        for part in range(parts):
                            state[row * parts + part] = unless_reset(state[row * parts + part], reset_next[row])
            read_from, write_to = write_to, read_from
            z_at += batch * 4 * units
            state_at += states.step
            y_at += y.step
            mask_at += sequence.mask.step
            reset_at += sequence.resets.step
            t = int32(t + 1)
            cuda.syncthreads()

    return forward, threads, extra_size * real.bitwidth // 8
