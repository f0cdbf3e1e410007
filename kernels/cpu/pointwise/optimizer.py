"""Optimizers, weight decay and clipping. Each is one pass over the flat buffers, which threads share."""

import math

import numpy as np
from numba import njit

from numlstm.kernels.cpu.runtime.launch import kernel, part_of, runs, threads_for
from numlstm.kernels.replay import call

__all__ = ["adam", "clip_norm", "clip_value", "decay_weights", "nadam", "rmsprop", "sgd"]

_OPERATIONS = 40  # Operations for each element, square root and division included, for `threads_for`.
_FEW_OPERATIONS = 4

_BLOCK = 4096  # Elements whose squares are summed separately, so that the bits of a norm do not depend on threads.


def _momentum(beta, step):
    """Nadam's μ = β₁ (1 - 0.96ᵗ / 2)."""
    return beta * (1.0 - 0.5 * 0.96**step)


_compiled_momentum = njit(inline="always")(_momentum)


@njit(inline="always")
def _square_sum(values):
    """The sum of squares, in eight partial sums that the compiler turns into vectors."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    whole = values.size // 8 * 8
    for k in range(0, whole, 8):
        part = values[k : k + 8]
        s0 += np.float64(part[0]) * part[0]
        s1 += np.float64(part[1]) * part[1]
        s2 += np.float64(part[2]) * part[2]
        s3 += np.float64(part[3]) * part[3]
        s4 += np.float64(part[4]) * part[4]
        s5 += np.float64(part[5]) * part[5]
        s6 += np.float64(part[6]) * part[6]
        s7 += np.float64(part[7]) * part[7]
    for k in range(whole, values.size):
        s0 += np.float64(values[k]) * values[k]
    return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))


@kernel("real1C int2C float1C int int")
def _sum_squares(gradients, segments, squares, chunk, chunks):
    """Sum the squares of each block. All segments' blocks follow each other; they may be fewer than `squares` has."""
    begin, end = part_of(squares.size, chunk, chunks)
    block = 0
    for segment in range(len(segments)):
        start, stop = segments[segment]
        for first in range(start, stop, _BLOCK):
            if begin <= block < end:
                squares[block] = _square_sum(gradients[first : min(first + _BLOCK, stop)])
            block += 1


@kernel("real1C int2C float1C float int int")
def _clip_norm(gradients, segments, squares, limit, chunk, chunks):
    begin, end = part_of(gradients.size, chunk, chunks)
    block = 0
    for segment in range(len(segments)):
        start, stop = segments[segment]
        total = 0.0
        for _ in range(start, stop, _BLOCK):
            total += squares[block]
            block += 1
        norm = math.sqrt(total)
        # Not `norm > limit`: if one gradient is NaN, all of them become NaN, as in Keras.
        if not norm <= limit:
            scale = gradients.dtype.type(limit / norm)
            part = gradients[max(start, begin) : max(start, begin, min(stop, end))]
            for k in range(part.size):
                part[k] *= scale


@kernel("real1C float int int")
def _clip_value(gradients, limit, chunk, chunks):
    begin, end = part_of(gradients.size, chunk, chunks)
    gradients = gradients[begin:end]
    limit = gradients.dtype.type(limit)
    for k in range(gradients.size):
        g = gradients[k]
        gradients[k] = limit if g > limit else -limit if g < -limit else g


@kernel("float1C real1C int2C float int int")
def _decay_weights(schedule, parameters, segments, decay, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    share = parameters.dtype.type(schedule[0] * decay)
    for segment in range(len(segments)):
        start, stop = segments[segment]
        part = parameters[max(start, begin) : max(start, begin, min(stop, end))]
        for k in range(part.size):
            part[k] -= share * part[k]


@kernel("float1C real1C real1C real1C float bool int int")
def _sgd(schedule, parameters, gradients, velocity, momentum, nesterov, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    moving = velocity.size > 0
    parameters, gradients, velocity = parameters[begin:end], gradients[begin:end], velocity[begin:end]
    real = parameters.dtype.type
    rate, momentum = real(schedule[0]), real(momentum)
    for k in range(parameters.size):
        step = rate * gradients[k]
        if moving:
            velocity[k] = momentum * velocity[k] - step
            parameters[k] += momentum * velocity[k] - step if nesterov else velocity[k]
        else:
            parameters[k] -= step


@kernel("float1C real1C real1C real1C real1C real1C float float float int int")
def _rmsprop(schedule, parameters, gradients, square, mean, velocity, rho, momentum, epsilon, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    centered, moving = mean.size > 0, velocity.size > 0
    parameters, gradients, square = parameters[begin:end], gradients[begin:end], square[begin:end]
    mean, velocity = mean[begin:end], velocity[begin:end]
    real = parameters.dtype.type
    rate, keep, new, small = real(schedule[0]), real(rho), real(1.0 - rho), real(epsilon)
    momentum = real(momentum)
    for k in range(parameters.size):
        g = gradients[k]
        square[k] = keep * square[k] + new * g * g
        spread = square[k]
        if centered:
            mean[k] = keep * mean[k] + new * g
            spread -= mean[k] * mean[k]
            spread = real(0) if spread < 0 else spread
        step = rate * g / math.sqrt(spread + small)
        if moving:
            step += momentum * velocity[k]
            velocity[k] = step
        parameters[k] -= step


@kernel("float1C real1C real1C real1C real1C real1C float float float int int")
def _adam(schedule, parameters, gradients, m, v, greatest, beta_1, beta_2, epsilon, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    bounded = greatest.size > 0
    parameters, gradients, m, v = parameters[begin:end], gradients[begin:end], m[begin:end], v[begin:end]
    greatest = greatest[begin:end]
    real = parameters.dtype.type
    step = schedule[1] + 1.0
    rate = real(schedule[0] * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step))
    keep_1, new_1, keep_2, new_2 = real(beta_1), real(1.0 - beta_1), real(beta_2), real(1.0 - beta_2)
    small = real(epsilon)
    for k in range(parameters.size):
        g = gradients[k]
        m[k] = keep_1 * m[k] + new_1 * g
        v[k] = keep_2 * v[k] + new_2 * g * g
        square = v[k]
        if bounded:
            square = max(greatest[k], square)
            greatest[k] = square
        parameters[k] -= rate * m[k] / (math.sqrt(square) + small)


@kernel("float1C real1C real1C real1C real1C float1C float float float int int")
def _nadam(schedule, parameters, gradients, m, v, product, beta_1, beta_2, epsilon, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    parameters, gradients, m, v = parameters[begin:end], gradients[begin:end], m[begin:end], v[begin:end]
    real = parameters.dtype.type
    step = schedule[1] + 1.0
    now, after = _compiled_momentum(beta_1, step), _compiled_momentum(beta_1, step + 1.0)
    ours = real(schedule[0] * after / (1.0 - product[0] * now * after))
    theirs = real(schedule[0] * (1.0 - now) / (1.0 - product[0] * now))
    unbiased = real(1.0 / (1.0 - beta_2**step))
    keep_1, new_1, keep_2, new_2 = real(beta_1), real(1.0 - beta_1), real(beta_2), real(1.0 - beta_2)
    small = real(epsilon)
    for k in range(parameters.size):
        g = gradients[k]
        m[k] = keep_1 * m[k] + new_1 * g
        v[k] = keep_2 * v[k] + new_2 * g * g
        parameters[k] -= (ours * m[k] + theirs * g) / (math.sqrt(unbiased * v[k]) + small)


def _step(update, schedule, parameters, *arguments):
    chunks = threads_for(_OPERATIONS * parameters.size, parameters.size)
    update.share(parameters.dtype, chunks, schedule, parameters, *arguments)
    call(_count_step, schedule)


def _count_step(schedule):
    schedule[1] += 1


def _multiply_momentum(product, beta, schedule):
    product[0] *= _momentum(beta, schedule[1])


@runs(_sum_squares, _clip_norm)
def clip_norm(gradients, segments, limit):
    """Scale each segment's g to ‖g‖ <= limit."""
    size = gradients.size
    squares = np.empty(size // _BLOCK + len(segments))
    chunks = threads_for(_FEW_OPERATIONS * size, squares.size)
    _sum_squares.share(gradients.dtype, chunks, gradients, segments, squares)
    _clip_norm.share(gradients.dtype, chunks, gradients, segments, squares, limit)


@runs(_clip_value)
def clip_value(gradients, limit):
    """g = min(max(g, -limit), limit)."""
    chunks = threads_for(_FEW_OPERATIONS * gradients.size, gradients.size)
    _clip_value.share(gradients.dtype, chunks, gradients, limit)


@runs(_decay_weights)
def decay_weights(parameters, segments, schedule, decay):
    """Update w -= η λ w."""
    chunks = threads_for(_FEW_OPERATIONS * parameters.size, parameters.size)
    _decay_weights.share(parameters.dtype, chunks, schedule, parameters, segments, decay)


@runs(_sgd)
def sgd(parameters, gradients, velocity, schedule, momentum, nesterov):
    """v = μ v - η g, then w += v, or with Nesterov w += μ v - η g."""
    velocity = parameters[:0] if velocity is None else velocity
    _step(_sgd, schedule, parameters, gradients, velocity, momentum, nesterov)


@runs(_rmsprop)
def rmsprop(parameters, gradients, state, schedule, rho, momentum, epsilon):
    """s = ρ s + (1 - ρ) g², a = ρ a + (1 - ρ) g, v = μ v + η g / √(s - a² + ε), w -= v."""
    square, mean, velocity = (parameters[:0] if array is None else array for array in state)
    _step(_rmsprop, schedule, parameters, gradients, square, mean, velocity, rho, momentum, epsilon)


@runs(_adam)
def adam(parameters, gradients, state, schedule, betas, epsilon):
    """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)."""
    m, v, greatest = state
    greatest = parameters[:0] if greatest is None else greatest
    _step(_adam, schedule, parameters, gradients, m, v, greatest, betas[0], betas[1], epsilon)


@runs(_nadam)
def nadam(parameters, gradients, state, schedule, betas, epsilon):
    """Adam's m and v, w -= η (μₜ₊₁ m / (1-Πₜ₊₁) + (1-μₜ) g / (1-Πₜ)) / (√(v / (1-β₂ᵗ)) + ε)."""
    m, v, product = state
    _step(_nadam, schedule, parameters, gradients, m, v, product, betas[0], betas[1], epsilon)
    call(_multiply_momentum, product, betas[0], schedule)
