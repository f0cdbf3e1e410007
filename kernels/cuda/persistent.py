"""The LSTM's recurrence with its weights in registers: a block owns some rows of the batch for all time steps.

Four neighbouring threads, a quad, own one unit. The recurrent weights are read once; a step needs one barrier, after which
all threads see what the others computed, through one of two buffers in shared memory that take turns. Threads beyond the
last unit repeat it; on the way back, where they might read what was overwritten already, they write nothing.

Whether a row's step is masked is the same for the whole block: a masked step skips the product.
"""

from numba import cuda

from numlstm.kernels.cuda.gates import activation, gates_backward, tanh
from numlstm.kernels.cuda.launch import device_function, template
from numlstm.kernels.cuda.ptx import load4, quad_gather, quad_scatter_sum, quad_sum, shared_array

MOST_UNITS = {"float32": 100, "float64": 48}
"""How many units the registers of a block hold."""


def _threads(units):
    return -(-4 * units // 32) * 32


def _pitch(length):
    """From slice to slice in shared memory, so that the four slices that a warp reads lie in different banks."""
    return length + (4 - length) % 16


@device_function
def add_dot4(total, weights, at, v):
    """total + Σ weights[at + k] v[k] over four k."""
    total = total + weights[at] * v[0]
    total = total + weights[at + 1] * v[1]
    total = total + weights[at + 2] * v[2]
    return total + weights[at + 3] * v[3]


@template("real* real* real* real* int real* int int int bool* int int int* int int int int int")
def forward(real, units, rows):
    """z += h' U, then c = f ⊙ c' + i ⊙ g, h = o ⊙ tanh c.

    A thread multiplies a quarter of h' with the weights of all four gates of its unit; the quad adds up, so that each
    thread has the z of one gate, and exchanges the four activations.

    gates: [steps, B, 4H] z of the input, overwritten with the activations if `keep`
    u: [H, 4H]
    before: [B, 2, H] h' and c'
    after: [B, 2, H] where h and c go, every step `state_step` further
    y: view of the outputs from step `-y_from` on
    mask: bools, used if `masked`
    first_valid: [B] each row's first step that counts, where this call's first is number `begin`
    """
    threads = _threads(units)
    depth = -(-units // 16) * 4
    pitch = _pitch(depth)
    width, held = 4 * pitch, 4 * depth
    size = 2 * rows * width

    def forward(
        gates, u, before, after, state_step, y, y_step, y_row, y_from, mask, mask_step, mask_row, first_valid, masked,
        keep, begin, steps, batch,
    ):  # fmt: skip
        thread = cuda.threadIdx.x
        lane = thread & 3
        unit = min(thread >> 2, units - 1)
        first = cuda.blockIdx.x * rows
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(held, real)
        c = cuda.local.array(rows, real)
        h = cuda.local.array(rows, real)
        z = cuda.local.array(rows, real)
        for gate in range(4):
            for k in range(depth):
                weights[gate * depth + k] = real(0)
                if lane * depth + k < units:
                    weights[gate * depth + k] = u[((lane * depth + k) * 4 + gate) * units + unit]
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        cuda.syncthreads()
        mine = unit // depth * pitch + unit % depth
        for i in range(rows):
            b = first + i
            if b < batch:
                h[i] = before[b * 2 * units + unit]
                c[i] = before[(b * 2 + 1) * units + unit]
                z[i] = gates[(b * 4 + lane) * units + unit]
                if lane == 0:
                    exchange[i * width + mine] = h[i]
        read, write = 0, rows * width
        cuda.syncthreads()
        for t in range(steps):
            for i in range(rows):
                b = first + i
                if b < batch:
                    z_now = z[i]
                    if t + 1 < steps:
                        z[i] = gates[(((t + 1) * batch + b) * 4 + lane) * units + unit]
                    if masked == 0 or mask[t * mask_step + b * mask_row] != 0:
                        a0 = a1 = a2 = a3 = real(0)
                        for k in range(0, depth, 4):
                            v = load4(exchange, read + i * width + lane * pitch + k)
                            a0 = add_dot4(a0, weights, k, v)
                            a1 = add_dot4(a1, weights, depth + k, v)
                            a2 = add_dot4(a2, weights, 2 * depth + k, v)
                            a3 = add_dot4(a3, weights, 3 * depth + k, v)
                        active = activation(z_now + quad_scatter_sum(a0, a1, a2, a3, lane), lane == 2)
                        gi, gf, gg, go = quad_gather(active, lane)
                        c[i] = gf * c[i] + gi * gg
                        h[i] = go * tanh(c[i])
                        if keep:
                            gates[((t * batch + b) * 4 + lane) * units + unit] = active
                    if lane == 0:
                        exchange[write + i * width + mine] = h[i]
                    elif lane == 1:
                        after[t * state_step + b * 2 * units + unit] = h[i]
                    elif lane == 2:
                        after[t * state_step + (b * 2 + 1) * units + unit] = c[i]
                    elif t + y_from >= 0:
                        y[(t + y_from) * y_step + b * y_row + unit] = h[i] if begin + t >= first_valid[b] else real(0)
            read, write = write, read
            cuda.syncthreads()

    return forward, threads


@template("real* real* real* real* real* int int int bool* int int int* int int int")
def backward(real, units, rows):
    """dG of every step, last to first, with dh' = dG Uᵀ.

    All threads of a quad do the gate math of its unit; each keeps the gradient of one gate and multiplies all units' of
    that gate with its quarter of the unit's row of U; the quad adds up.

    gates: [steps, B, 4H] activations, overwritten with dG
    u: [H, 4H]
    states: [steps + 1, B, 2, H] h and c
    carried: [B, 2, H] dh and dc of the final state, overwritten with those of the initial one
    dy: view of the outputs' gradients from step `-dy_from` on
    mask, masked, first_valid: as in `forward`
    """
    threads = _threads(units)
    depth = -(-units // 8) * 8
    pitch = _pitch(depth)
    width, held = 4 * pitch, 4 * depth
    size = 2 * rows * width

    def backward(
        gates, u, states, carried, dy, dy_step, dy_row, dy_from, mask, mask_step, mask_row, first_valid, masked, steps,
        batch,
    ):  # fmt: skip
        thread = cuda.threadIdx.x
        lane = thread & 3
        unit = min(thread >> 2, units - 1)
        live = thread >> 2 < units
        first = cuda.blockIdx.x * rows
        exchange = shared_array(size, real, 16)
        weights = cuda.local.array(depth, real)
        active = cuda.local.array(rows, real)
        dh = cuda.local.array(rows, real)
        dc = cuda.local.array(rows, real)
        c = cuda.local.array(rows, real)
        for k in range(depth):
            weights[k] = u[(unit * 4 + lane) * units + k] if k < units else real(0)
        for k in range(thread, size, threads):
            exchange[k] = real(0)
        cuda.syncthreads()
        for i in range(rows):
            b = first + i
            if b < batch:
                dh[i] = carried[b * 2 * units + unit]
                dc[i] = carried[(b * 2 + 1) * units + unit]
                c[i] = states[((steps * batch + b) * 2 + 1) * units + unit]
                active[i] = gates[(((steps - 1) * batch + b) * 4 + lane) * units + unit]
        buffer = 0
        for back in range(steps):
            t = steps - 1 - back
            for i in range(rows):
                b = first + i
                if b < batch:
                    gate_now, c_before = active[i], states[((t * batch + b) * 2 + 1) * units + unit]
                    if t > 0:
                        active[i] = gates[(((t - 1) * batch + b) * 4 + lane) * units + unit]
                    if t + dy_from >= 0 and t >= first_valid[b]:
                        dh[i] += dy[(t + dy_from) * dy_step + b * dy_row + unit]
                    gradient = real(0)
                    if masked == 0 or mask[t * mask_step + b * mask_row] != 0:
                        gi, gf, gg, go = quad_gather(gate_now, lane)
                        di, df, dg, do, dc[i] = gates_backward(gi, gf, gg, go, c_before, c[i], dh[i], dc[i])
                        gradient = di if lane == 0 else df if lane == 1 else dg if lane == 2 else do
                        if live:
                            exchange[buffer + i * width + lane * pitch + unit] = gradient
                    c[i] = c_before
                    if live:
                        gates[((t * batch + b) * 4 + lane) * units + unit] = gradient
            cuda.syncthreads()
            for i in range(rows):
                b = first + i
                if b < batch and (masked == 0 or mask[t * mask_step + b * mask_row] != 0):
                    a0 = a1 = real(0)
                    for k in range(0, depth, 8):
                        a0 = add_dot4(a0, weights, k, load4(exchange, buffer + i * width + lane * pitch + k))
                        a1 = add_dot4(a1, weights, k + 4, load4(exchange, buffer + i * width + lane * pitch + k + 4))
                    dh[i] = quad_sum(a0 + a1)
            buffer = rows * width - buffer
        for i in range(rows):
            b = first + i
            if live and b < batch:
                if lane == 0:
                    carried[b * 2 * units + unit] = dh[i]
                elif lane == 1:
                    carried[(b * 2 + 1) * units + unit] = dc[i]

    return backward, threads
