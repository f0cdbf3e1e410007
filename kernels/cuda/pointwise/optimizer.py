"""Optimizers, weight decay and clipping. Each is one pass over the flat buffers."""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.runtime.launch import THREADS, blocks_for, device_function, kernel, runs
from numlstm.kernels.cuda.runtime.memory import empty
from numlstm.kernels.cuda.runtime.ptx import shared_array

__all__ = ["adam", "clip_norm", "clip_value", "decay_weights", "nadam", "rmsprop", "sgd"]


@kernel("float*", threads=1)
def _advance(schedule):
    """Count a step. This is a separate launch, because the threads of an update read the number while they run."""
    schedule[1] += 1.0


@device_function
def _momentum(beta, step):
    """Nadam's μ = β₁ (1 - 0.96ᵗ / 2)."""
    return beta * (1.0 - 0.5 * 0.96**step)


@kernel("float* float* float", threads=1)
def _advance_momentum(schedule, product, beta):
    product[0] *= _momentum(beta, schedule[1])


@device_function
def _sum_block(value):
    """Sum one number of every thread in a tree. Every thread gets the sum. A kernel may call this once."""
    sums = shared_array(THREADS, float64, 16)
    thread = cuda.threadIdx.x
    sums[thread] = value
    cuda.syncthreads()
    half = THREADS // 2
    while half > 0:
        if thread < half:
            sums[thread] += sums[thread + half]
        cuda.syncthreads()
        half //= 2
    return sums[0]


@kernel("real* int* float*")
def _sum_squares(gradients, segments, squares):
    block, blocks, segment = cuda.blockIdx.x, cuda.gridDim.x, cuda.blockIdx.y
    first = segments[2 * segment] + block * THREADS + cuda.threadIdx.x
    total = 0.0
    for k in range(first, segments[2 * segment + 1], blocks * THREADS):
        total += float64(gradients[k]) * float64(gradients[k])
    total = _sum_block(total)
    if cuda.threadIdx.x == 0:
        squares[segment * blocks + block] = total


@kernel("real* int* float* float")
def _clip_norm(gradients, segments, squares, limit):
    thread, block, blocks, segment = cuda.threadIdx.x, cuda.blockIdx.x, cuda.gridDim.x, cuda.blockIdx.y
    norm = math.sqrt(_sum_block(squares[segment * blocks + thread] if thread < blocks else 0.0))
    # Not `norm > limit`: if one gradient is NaN, all of them become NaN, as in Keras.
    if not norm <= limit:
        scale = limit / norm
        first = segments[2 * segment] + block * THREADS + thread
        for k in range(first, segments[2 * segment + 1], blocks * THREADS):
            g = gradients[k]
            gradients[k] = g * type(g)(scale)


@kernel("real* float int")
def _clip_value(gradients, limit, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        most = type(g)(limit)
        gradients[k] = most if g > most else -most if g < -most else g


@kernel("float* real* int* float")
def _decay_weights(schedule, parameters, segments, decay):
    segment, step = cuda.blockIdx.y, cuda.gridDim.x * THREADS
    first = segments[2 * segment] + cuda.blockIdx.x * THREADS + cuda.threadIdx.x
    share = schedule[0] * decay
    for k in range(first, segments[2 * segment + 1], step):
        w = parameters[k]
        parameters[k] = w - type(w)(share) * w


@kernel("float* real* real* real* int float int int")
def _sgd(schedule, parameters, gradients, velocity, moving, momentum, nesterov, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        keep, step = real(momentum), real(schedule[0]) * g
        if moving:
            v = keep * velocity[k] - step
            velocity[k] = v
            parameters[k] += keep * v - step if nesterov else v
        else:
            parameters[k] -= step


@kernel("float* real* real* real* real* real* int int float float float int")
def _rmsprop(
    schedule, parameters, gradients, square, mean, velocity, centered, moving, rho, momentum, epsilon, size
):  # fmt: skip
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        spread = real(rho) * square[k] + real(1.0 - rho) * g * g
        square[k] = spread
        if centered:
            a = real(rho) * mean[k] + real(1.0 - rho) * g
            mean[k] = a
            spread -= a * a
            spread = real(0) if spread < real(0) else spread
        step = real(schedule[0]) * g / math.sqrt(spread + real(epsilon))
        if moving:
            step += real(momentum) * velocity[k]
            velocity[k] = step
        parameters[k] -= step


@kernel("float* real* real* real* real* real* int float float float int")
def _adam(schedule, parameters, gradients, m, v, greatest, bounded, beta_1, beta_2, epsilon, size):
    step = schedule[1] + 1.0
    rate = schedule[0] * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        first = real(beta_1) * m[k] + real(1.0 - beta_1) * g
        second = real(beta_2) * v[k] + real(1.0 - beta_2) * g * g
        m[k], v[k] = first, second
        if bounded:
            second = max(greatest[k], second)
            greatest[k] = second
        parameters[k] -= real(rate) * first / (math.sqrt(second) + real(epsilon))


@kernel("float* real* real* real* real* float* float float float int")
def _nadam(schedule, parameters, gradients, m, v, product, beta_1, beta_2, epsilon, size):
    step = schedule[1] + 1.0
    now, after = _momentum(beta_1, step), _momentum(beta_1, step + 1.0)
    ours = schedule[0] * after / (1.0 - product[0] * now * after)
    theirs = schedule[0] * (1.0 - now) / (1.0 - product[0] * now)
    unbiased = 1.0 / (1.0 - beta_2**step)
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        first = real(beta_1) * m[k] + real(1.0 - beta_1) * g
        second = real(beta_2) * v[k] + real(1.0 - beta_2) * g * g
        m[k], v[k] = first, second
        direction = real(ours) * first + real(theirs) * g
        parameters[k] -= direction / (math.sqrt(real(unbiased) * second) + real(epsilon))


def _step(update, schedule, parameters, *arguments):
    dtype, size = parameters.dtype, parameters.size
    update.launch(dtype, blocks_for(size), schedule, parameters, *arguments, size)
    _advance.launch(dtype, 1, schedule)


@runs(_sum_squares, _clip_norm)
def clip_norm(gradients, segments, limit):
    """Scale each segment's g to ‖g‖ <= limit."""
    dtype = gradients.dtype
    # Each block of a segment sums a share, then adds up all shares in one step, with one thread for each share.
    grid = min(blocks_for(gradients.size), THREADS), len(segments)
    squares = empty(grid[::-1], "float64")
    _sum_squares.launch(dtype, grid, gradients, segments, squares)
    _clip_norm.launch(dtype, grid, gradients, segments, squares, limit)


@runs(_clip_value)
def clip_value(gradients, limit):
    """g = min(max(g, -limit), limit)."""
    size = gradients.size
    _clip_value.launch(gradients.dtype, blocks_for(size), gradients, limit, size)


@runs(_decay_weights)
def decay_weights(parameters, segments, schedule, decay):
    """Update w -= η λ w."""
    grid = blocks_for(parameters.size), len(segments)
    _decay_weights.launch(parameters.dtype, grid, schedule, parameters, segments, decay)


@runs(_sgd, _advance)
def sgd(parameters, gradients, velocity, schedule, momentum, nesterov):
    """v = μ v - η g, then w += v, or with Nesterov w += μ v - η g."""
    moving, velocity = velocity is not None, parameters if velocity is None else velocity
    _step(_sgd, schedule, parameters, gradients, velocity, int(moving), momentum, int(nesterov))


@runs(_rmsprop, _advance)
def rmsprop(parameters, gradients, state, schedule, rho, momentum, epsilon):
    """s = ρ s + (1 - ρ) g², a = ρ a + (1 - ρ) g, v = μ v + η g / √(s - a² + ε), w -= v."""
    centered, moving = (int(array is not None) for array in state[1:])
    arrays = (parameters if array is None else array for array in state)
    _step(_rmsprop, schedule, parameters, gradients, *arrays, centered, moving, rho, momentum, epsilon)


@runs(_adam, _advance)
def adam(parameters, gradients, state, schedule, betas, epsilon):
    """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)."""
    m, v, greatest = state
    bounded, greatest = greatest is not None, v if greatest is None else greatest
    _step(_adam, schedule, parameters, gradients, m, v, greatest, int(bounded), betas[0], betas[1], epsilon)


@runs(_nadam, _advance_momentum, _advance)
def nadam(parameters, gradients, state, schedule, betas, epsilon):
    """Adam's m and v, w -= η (μₜ₊₁ m / (1-Πₜ₊₁) + (1-μₜ) g / (1-Πₜ)) / (√(v / (1-β₂ᵗ)) + ε)."""
    m, v, product = state
    _step(_nadam, schedule, parameters, gradients, m, v, product, betas[0], betas[1], epsilon)
    _advance_momentum.launch(parameters.dtype, 1, schedule, product, betas[0])
