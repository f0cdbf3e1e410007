"""Optimizers and clipping, each one pass over the flat buffers."""

import math

import numpy as np

from numlstm.kernels.cpu.launch import kernel, part_of, threads_for

_OPERATIONS = 40  # What an element costs, square root and division included, when threads are counted.


def clip_norm(gradients, limit):
    """Scale g to ‖g‖ <= limit."""
    _clip_norm[gradients.dtype](gradients, limit)


def sgd(parameters, gradients, velocity, schedule, momentum, nesterov):
    """v = μ v - η g, then w += v, or with Nesterov w += μ v - η g."""
    _step(_sgd, schedule, parameters, gradients, velocity, momentum, nesterov)


def rmsprop(parameters, gradients, mean_square, schedule, rho, epsilon):
    """s = ρ s + (1 - ρ) g², w -= η g / √(s + ε)."""
    _step(_rmsprop, schedule, parameters, gradients, mean_square, rho, epsilon)


def adam(parameters, gradients, m, v, schedule, betas, epsilon):
    """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)."""
    _step(_adam, schedule, parameters, gradients, m, v, betas[0], betas[1], epsilon)


def _step(update, schedule, parameters, *arguments):
    chunks = threads_for(_OPERATIONS * parameters.size, parameters.size)
    update.share(parameters.dtype, chunks, schedule, parameters, *arguments)
    schedule[1] += 1


@kernel("real1C float")
def _clip_norm(gradients, limit):
    total = 0.0
    for k in range(gradients.size):
        total += np.float64(gradients[k]) ** 2
    norm = math.sqrt(total)
    if norm > limit:
        scale = limit / norm
        for k in range(gradients.size):
            gradients[k] *= scale


@kernel("float1C real1C real1C real1C float bool int int")
def _sgd(schedule, parameters, gradients, velocity, momentum, nesterov, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    parameters, gradients, velocity = parameters[begin:end], gradients[begin:end], velocity[begin:end]
    kind = parameters.dtype.type
    rate, momentum = kind(schedule[0]), kind(momentum)
    for k in range(parameters.size):
        step = rate * gradients[k]
        velocity[k] = momentum * velocity[k] - step
        parameters[k] += momentum * velocity[k] - step if nesterov else velocity[k]


@kernel("float1C real1C real1C real1C float float int int")
def _rmsprop(schedule, parameters, gradients, mean_square, rho, epsilon, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    parameters, gradients, mean_square = parameters[begin:end], gradients[begin:end], mean_square[begin:end]
    kind = parameters.dtype.type
    rate, keep, new, small = kind(schedule[0]), kind(rho), kind(1.0 - rho), kind(epsilon)
    for k in range(parameters.size):
        g = gradients[k]
        mean_square[k] = keep * mean_square[k] + new * g * g
        parameters[k] -= rate * g / math.sqrt(mean_square[k] + small)


@kernel("float1C real1C real1C real1C real1C float float float int int")
def _adam(schedule, parameters, gradients, m, v, beta_1, beta_2, epsilon, chunk, chunks):
    begin, end = part_of(parameters.size, chunk, chunks)
    parameters, gradients, m, v = parameters[begin:end], gradients[begin:end], m[begin:end], v[begin:end]
    kind = parameters.dtype.type
    step = schedule[1] + 1.0
    rate = kind(schedule[0] * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step))
    keep_1, new_1, keep_2, new_2 = kind(beta_1), kind(1.0 - beta_1), kind(beta_2), kind(1.0 - beta_2)
    small = kind(epsilon)
    for k in range(parameters.size):
        g = gradients[k]
        m[k] = keep_1 * m[k] + new_1 * g
        v[k] = keep_2 * v[k] + new_2 * g * g
        parameters[k] -= rate * m[k] / (math.sqrt(v[k]) + small)
