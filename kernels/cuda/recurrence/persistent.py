"""The LSTM's recurrence as one kernel: a block owns some rows of the batch for all time steps.

Four neighbouring threads, a quad, own one unit. They read their recurrent weights once, into registers, and what does
not fit there into shared memory. A step needs one barrier, after which all threads see what the others computed,
through one of two buffers in shared memory that take turns. Threads beyond the last unit repeat it; on the way back,
where they might read what was overwritten already, they write nothing.

Whether a row's step is masked is the same for the whole block: a masked step skips the product.
"""

from numba import cuda
from numba.cuda.types import int32, uint8

from numlstm.kernels.cuda.cells.activation import activation, cell_activation, tanh
from numlstm.kernels.cuda.cells.lstm import any_gates_backward, gates_backward
from numlstm.kernels.cuda.recurrence.steps import OPTIONS, PLAIN_KINDS, cross_into_state
from numlstm.kernels.cuda.runtime.device import SIMULATED, shared_bytes
from numlstm.kernels.cuda.runtime.launch import device_function, template
from numlstm.kernels.cuda.runtime.ptx import load4, quad_gather, quad_scatter_sum, quad_sum, shared_array

MOST_UNITS = {"float32": 128, "float64": 48}
"""How many units one block can hold, where it has the shared memory for what its registers do not take."""

_UNITS_IN_REGISTERS, _SHARED_BYTES = 96, 152 * 1024  # Up to so many; and what more units take.

# How many weights of a gate a thread keeps in registers, where they do not all fit: by how many it has. More units take
# more threads, with fewer registers each. Found by compiling: with other numbers some GPU has to spill.
_KEPT_FORWARD = {28: 24, 32: 24}
_KEPT_BACKWARD = {104: 56, 112: 56, 120: 56, 128: 56}
# Up to so many units, so many rows fit beside them.
_ROWS = {"float32": [(64, 4), (95, 2)], "float64": [(32, 4)]}
_ROWS_GENERAL = _ROWS | {"float32": [(64, 4), (80, 2)]}  # With more, the loop over rows is not unrolled.


def most_units(dtype):
    """How many units one block can hold on this GPU."""
    most = MOST_UNITS[dtype]
    return most if shared_bytes() >= _SHARED_BYTES else min(most, _UNITS_IN_REGISTERS)


def _threads(units):
    """Whole warps; 13 to 16 of them have the same registers, and the indices of 16 cost fewer."""
    threads = -(-4 * units // 32) * 32
    return threads if threads <= 384 else 512


def _pitch(length):
    """From slice to slice in shared memory, so that the four slices that a warp reads lie in different banks."""
    return length + (4 - length) % 16


def rows_of_a_block(units, dtype, batch, multiprocessors, general):
    """As few as give every multiprocessor a block, since the rows of a block wait for each other."""
    limits = (_ROWS_GENERAL if general else _ROWS)[dtype]
    most = next((rows for limit, rows in limits if units <= limit), 1)
    rows = 1
    while rows < most and batch > rows * multiprocessors:
        rows *= 2
    return rows


@device_function
def add_dot(total, weights, at, v):
    """total + Σ weights[at + k] v[k] over four k."""
    return add_dot4(total, (weights[at], weights[at + 1], weights[at + 2], weights[at + 3]), v)


@device_function
def add_dot4(total, w, v):
    """total + Σ w[k] v[k] over four k."""
    total = total + w[0] * v[0]
    total = total + w[1] * v[1]
    total = total + w[2] * v[2]
    return total + w[3] * v[3]


@template("real* real* real* real* int real* int int int bool* int int int* int int int int " + OPTIONS)
def forward(real, units, rows, kinds):
    """z += h' U, then c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c.

    A thread multiplies a quarter of h' with the weights of all four gates of its unit; the quad adds up, so that each
    thread has the z of one gate, and exchanges the four activations.

    gates: [steps, B, 4H] z of the input, overwritten with the activations if `keep`
    u: [H, 4H]
    before: [B, 2, H] h' and c'
    after: [B, 2, H] where h and c go, every step `state_step` further
    y: view of the outputs from step `-y_from` on
    mask: view of bools
    first_valid: [B] each row's first step that counts, where this call's first is number `begin`
    kinds: None where the rest is not read, see `OPTIONS`; else the cell's activations
    """
    general = kinds is not None
    kind, recurrent_kind = kinds or PLAIN_KINDS
    threads = _threads(units)
    depth = -(-units // 16) * 4
    pitch = _pitch(depth)
    width = 4 * pitch
    size = 2 * rows * width
    multipliers = rows * width if general else 1  # Of dropout, where `exchange` has the h that they are for.
    kept = _KEPT_FORWARD.get(depth, depth)
    held, extra_size = 4 * kept, 4 * (depth - kept) * threads
    extra_shape = extra_size if SIMULATED else 0  # On the GPU, 0 asks for the memory that the launch brings.

    def forward(
        gates, u, before, after, state_step, y, y_step, y_row, y_from, mask, mask_step, mask_row, first_valid, keep,
        begin, steps, batch, zero_output, reset, reset_step, reset_row, dropout, dropout_row, dropped,
    ):  # fmt: skip
        thread = cuda.threadIdx.x
        lane, unit = int32(thread & 3), int32(min(thread >> 2, units - 1))
        first = cuda.blockIdx.x * rows
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(held, real)
        c = cuda.local.array(rows, real)
        h = cuda.local.array(rows, real)
        z = cuda.local.array(rows, real)
        valid = cuda.local.array(rows, uint8)
        anew = cuda.local.array(rows, uint8)
        multiplier = shared_array(multipliers, real, 16)
        since = cuda.local.array(rows, int32)
        extra = shared_array(extra_shape, real, 16)
        u_at, left = lane * depth * 4 * units + unit, units - lane * depth
        for gate in range(4):
            for k in range(kept, depth):
                weight = u[u_at + (k * 4 + gate) * units] if k < left else real(0)
                extra[((gate * (depth - kept) + k - kept) // 4 * threads + thread) * 4 + k % 4] = weight
        for gate in range(4):
            for k in range(kept):
                weights[gate * kept + k] = u[u_at + (k * 4 + gate) * units] if k < left else real(0)
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        cuda.syncthreads()
        mine = int32(unit // depth * pitch + unit % depth)
        z_at, state_at = (first * 4 + lane) * units + unit, first * 2 * units + unit
        y_at, mask_at, reset_at = y_from * y_step + first * y_row + unit, first * mask_row, first * reset_row
        for i in range(rows):
            if first + i < batch:
                h[i] = before[state_at + i * 2 * units]
                c[i] = before[state_at + (i * 2 + 1) * units]
                z[i] = gates[z_at + i * 4 * units]
                valid[i] = mask[mask_at + i * mask_row]
                since[i] = first_valid[first + i] - begin
                fed = h[i]
                if general:
                    anew[i] = reset[reset_at + i * reset_row]
                    if anew[i] != 0:
                        h[i] = c[i] = real(0)
                    factor = dropout[(first + i) * dropout_row + unit] if dropped else real(1)
                    multiplier[i * width + mine], fed = factor, h[i] * factor
                if lane == 0:
                    exchange[i * width + mine] = fed
        if lane > 1:
            state_at += units
        read, write = 0, rows * width
        cuda.syncthreads()
        for t in range(steps):
            for i in range(rows):
                if first + i < batch:
                    z_now, valid_now = z[i], valid[i]
                    if t + 1 < steps:
                        z[i] = gates[z_at + (batch + i) * 4 * units]
                        valid[i] = mask[mask_at + mask_step + i * mask_row]
                        if general:
                            anew[i] = reset[reset_at + reset_step + i * reset_row]
                    factor = real(1)
                    if valid_now != 0:
                        a0 = a1 = a2 = a3 = real(0)
                        at = read + i * width + lane * pitch
                        for k in range(0, kept, 4):
                            v = load4(exchange, at + k)
                            a0 = add_dot(a0, weights, k, v)
                            a1 = add_dot(a1, weights, kept + k, v)
                            a2 = add_dot(a2, weights, 2 * kept + k, v)
                            a3 = add_dot(a3, weights, 3 * kept + k, v)
                        for k in range(kept, depth, 4):
                            v = load4(exchange, at + k)
                            gate_0, next_gate = (k - kept) * threads + 4 * thread, (depth - kept) * threads
                            a0 = add_dot4(a0, load4(extra, gate_0), v)
                            a1 = add_dot4(a1, load4(extra, gate_0 + next_gate), v)
                            a2 = add_dot4(a2, load4(extra, gate_0 + 2 * next_gate), v)
                            a3 = add_dot4(a3, load4(extra, gate_0 + 3 * next_gate), v)
                        z_now += quad_scatter_sum(a0, a1, a2, a3, lane)
                        if general:
                            factor = multiplier[i * width + mine]
                            active = cell_activation(z_now, kind if lane == 2 else recurrent_kind)
                        else:
                            active = activation(z_now, lane == 2)
                        gi, gf, gg, go = quad_gather(active, lane)
                        c[i] = gf * c[i] + gi * gg
                        h[i] = go * (cell_activation(c[i], kind) if general else tanh(c[i]))
                        if keep:
                            gates[z_at + i * 4 * units] = active
                    elif general:
                        factor = multiplier[i * width + mine]
                    fed = h[i]
                    if general:
                        fed *= factor
                        if anew[i] != 0:
                            fed = real(0)
                    # Two ways, not one for each lane, which threads would go one after the other.
                    if lane == 0:
                        exchange[write + i * width + mine] = fed
                        if t + y_from >= 0:
                            shown = int32(t) >= since[i] and (valid_now != 0 or zero_output == 0)
                            y[y_at + i * y_row] = h[i] if shown else real(0)
                    else:
                        after[state_at + i * 2 * units] = h[i] if lane == 1 else c[i]
                    if general and anew[i] != 0:
                        h[i] = c[i] = real(0)
            read, write = write, read
            z_at += batch * 4 * units
            state_at += state_step
            y_at += y_step
            mask_at += mask_step
            reset_at += reset_step
            cuda.syncthreads()

    return forward, threads, extra_size * real.bitwidth // 8


@template("real* real* real* real* real* int int int bool* int int int* int int " + OPTIONS)
def backward(real, units, rows, kinds):
    """dG of every step, last to first, with dh' = dG Uᵀ.

    All threads of a quad do the gate math of its unit; each keeps the gradient of one gate and multiplies all units' of
    that gate with its quarter of the unit's row of U; the quad adds up.

    gates: [steps, B, 4H] activations, overwritten with dG
    u: [H, 4H]
    states: [steps + 1, B, 2, H] h and c
    carried: [B, 2, H] dh and dc of the final state, overwritten with those of the initial one
    dy: view of the outputs' gradients from step `-dy_from` on
    mask, first_valid, kinds: as in `forward`
    """
    general = kinds is not None
    kind, recurrent_kind = kinds or PLAIN_KINDS
    threads = _threads(units)
    depth = -(-units // 8) * 8
    pitch = _pitch(depth)
    width = 4 * pitch
    size = 2 * rows * width
    multipliers = rows * units if general else 1  # Of dropout.
    kept = _KEPT_BACKWARD.get(depth, depth)
    extra_size = (depth - kept) * threads
    extra_shape = extra_size if SIMULATED else 0

    def backward(
        gates, u, states, carried, dy, dy_step, dy_row, dy_from, mask, mask_step, mask_row, first_valid, steps, batch,
        zero_output, reset, reset_step, reset_row, dropout, dropout_row, dropped,
    ):  # fmt: skip
        thread = cuda.threadIdx.x
        lane, unit = int32(thread & 3), int32(min(thread >> 2, units - 1))
        live = thread >> 2 < units
        first = cuda.blockIdx.x * rows
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(kept, real)
        active = cuda.local.array(rows, real)
        added = cuda.local.array(rows, real)
        valid = cuda.local.array(rows, uint8)
        since = cuda.local.array(rows, int32)
        dh = cuda.local.array(rows, real)
        dc = cuda.local.array(rows, real)
        c = cuda.local.array(rows, real)
        c_before = cuda.local.array(rows, real)
        anew = cuda.local.array(rows, uint8)
        multiplier = shared_array(multipliers, real, 16)
        extra = shared_array(extra_shape, real, 16)
        for k in range(kept, depth):
            weight = u[(unit * 4 + lane) * units + k] if k < units else real(0)
            extra[((k - kept) // 4 * threads + thread) * 4 + k % 4] = weight
        for k in range(kept):
            weights[k] = u[(unit * 4 + lane) * units + k] if k < units else real(0)
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        cuda.syncthreads()
        last = steps - 1
        z_at, state_at = ((last * batch + first) * 4 + lane) * units + unit, (last * batch + first) * 2 * units + unit
        dy_at, mask_at = (last + dy_from) * dy_step + first * dy_row + unit, last * mask_step + first * mask_row
        carried_at, reset_at = first * 2 * units + unit, last * reset_step + first * reset_row
        for i in range(rows):
            if first + i < batch:
                dh[i] = carried[carried_at + i * 2 * units]
                dc[i] = carried[carried_at + (i * 2 + 1) * units]
                c[i] = states[state_at + ((batch + i) * 2 + 1) * units]
                active[i] = gates[z_at + i * 4 * units]
                c_before[i] = states[state_at + (i * 2 + 1) * units]
                since[i] = max(first_valid[first + i], -dy_from)
                added[i] = dy[dy_at + i * dy_row] if int32(last) >= since[i] else real(0)
                valid[i] = mask[mask_at + i * mask_row]
                if general:
                    anew[i] = reset[reset_at + i * reset_row]
                    multiplier[i * units + unit] = dropout[(first + i) * dropout_row + unit] if dropped else real(1)
        buffer = 0
        for back in range(steps):
            t = last - back
            for i in range(rows):
                if first + i < batch:
                    gate_now, c_now, added_now = active[i], c_before[i], added[i]
                    # What the step before needs is on its way while this one computes.
                    if t > 0:
                        active[i] = gates[z_at + (i - batch) * 4 * units]
                        c_before[i] = states[state_at + ((i - batch) * 2 + 1) * units]
                        added[i] = dy[dy_at - dy_step + i * dy_row] if int32(t) > since[i] else real(0)
                    if valid[i] != 0 or zero_output == 0:
                        dh[i] += added_now
                    gradient = real(0)
                    if valid[i] != 0:
                        gi, gf, gg, go = quad_gather(gate_now, lane)
                        if general:
                            c_used = real(0) if anew[i] != 0 else c_now
                            di, df, dg, do, dc[i] = any_gates_backward(
                                kind, recurrent_kind, gi, gf, gg, go, c_used, c[i], dh[i], dc[i]
                            )
                        else:
                            di, df, dg, do, dc[i] = gates_backward(gi, gf, gg, go, c_now, c[i], dh[i], dc[i])
                        gradient = di if lane == 0 else df if lane == 1 else dg if lane == 2 else do
                        if live:
                            exchange[buffer + i * width + lane * pitch + unit] = gradient
                    c[i] = c_now
                    if live:
                        gates[z_at + i * 4 * units] = gradient
            cuda.syncthreads()
            for i in range(rows):
                if first + i < batch:
                    factor = real(1)
                    if valid[i] != 0:
                        a0 = a1 = real(0)
                        at = buffer + i * width + lane * pitch
                        for k in range(0, kept, 8):
                            a0 = add_dot(a0, weights, k, load4(exchange, at + k))
                            a1 = add_dot(a1, weights, k + 4, load4(exchange, at + k + 4))
                        for k in range(kept, depth, 4):
                            a0 = add_dot4(a0, load4(extra, (k - kept) * threads + 4 * thread), load4(exchange, at + k))
                        if general:
                            factor = multiplier[i * units + unit]
                        dh[i] = quad_sum(a0 + a1)
                    if general:
                        dh[i], dc[i] = cross_into_state(dh[i], dc[i], anew[i], valid[i], factor)
                    if t > 0:
                        valid[i] = mask[mask_at - mask_step + i * mask_row]
                        if general:
                            anew[i] = reset[reset_at - reset_step + i * reset_row]
            buffer = rows * width - buffer
            z_at -= batch * 4 * units
            state_at -= batch * 2 * units
            dy_at -= dy_step
            mask_at -= mask_step
            reset_at -= reset_step
        for i in range(rows):
            if live and first + i < batch:
                if lane == 0:
                    carried[carried_at + i * 2 * units] = dh[i]
                elif lane == 1:
                    carried[carried_at + (i * 2 + 1) * units] = dc[i]

    return backward, threads, extra_size * real.bitwidth // 8
