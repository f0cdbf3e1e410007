"""Optimizers and clipping, each one pass over the flat buffers."""

import math

from numba import cuda
from numba.cuda.types import float64

from numlstm.kernels.cuda.launch import blocks_for, kernel
from numlstm.kernels.cuda.matmul import partial_sums, sum_all
from numlstm.kernels.cuda.memory import zeros


def clip_norm(gradients, limit):
    """Scale g to ‖g‖ <= limit."""
    dtype, size = gradients.dtype.name, gradients.size
    partial, square = partial_sums(size), zeros((1,), "float64")
    _squares.launch(dtype, blocks_for(size), gradients, partial, size)
    sum_all(partial, square, 1.0)
    _clip.launch(dtype, blocks_for(size), gradients, square, size, limit)


def sgd(parameters, gradients, velocity, schedule, momentum, nesterov):
    """v = μ v - η g, then w += v, or with Nesterov w += μ v - η g."""
    _step(_sgd, schedule, parameters, gradients, velocity, momentum, int(nesterov))


def rmsprop(parameters, gradients, mean_square, schedule, rho, epsilon):
    """s = ρ s + (1 - ρ) g², w -= η g / √(s + ε)."""
    _step(_rmsprop, schedule, parameters, gradients, mean_square, rho, epsilon)


def adam(parameters, gradients, m, v, schedule, betas, epsilon):
    """m = β₁ m + (1 - β₁) g, v = β₂ v + (1 - β₂) g², w -= η √(1-β₂ᵗ)/(1-β₁ᵗ) m / (√v + ε)."""
    _step(_adam, schedule, parameters, gradients, m, v, betas[0], betas[1], epsilon)


def _step(update, schedule, parameters, *arguments):
    dtype, size = parameters.dtype.name, parameters.size
    update.launch(dtype, blocks_for(size), schedule, parameters, *arguments, size)
    _advance.launch(dtype, 1, schedule)


@kernel("float*", threads=1)
def _advance(schedule):
    """A launch of its own: while an update runs, its threads still read the number."""
    schedule[1] += 1.0


@kernel("real* float* int")
def _squares(gradients, partial, size):
    total = 0.0
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        total += float64(gradients[k]) * float64(gradients[k])
    partial[cuda.grid(1)] = total


@kernel("real* float* int float")
def _clip(gradients, square, size, limit):
    norm = math.sqrt(square[0])
    if norm > limit:
        scale = limit / norm
        for k in range(cuda.grid(1), size, cuda.gridsize(1)):
            gradients[k] *= scale


@kernel("float* real* real* real* float int int")
def _sgd(schedule, parameters, gradients, velocity, momentum, nesterov, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        keep, step = real(momentum), real(schedule[0]) * g
        v = keep * velocity[k] - step
        velocity[k] = v
        parameters[k] += keep * v - step if nesterov else v


@kernel("float* real* real* real* float float int")
def _rmsprop(schedule, parameters, gradients, mean_square, rho, epsilon, size):
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        s = real(rho) * mean_square[k] + real(1.0 - rho) * g * g
        mean_square[k] = s
        parameters[k] -= real(schedule[0]) * g / math.sqrt(s + real(epsilon))


@kernel("float* real* real* real* real* float float float int")
def _adam(schedule, parameters, gradients, m, v, beta_1, beta_2, epsilon, size):
    step = schedule[1] + 1.0
    rate = schedule[0] * math.sqrt(1.0 - beta_2**step) / (1.0 - beta_1**step)
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        g = gradients[k]
        real = type(g)
        first = real(beta_1) * m[k] + real(1.0 - beta_1) * g
        second = real(beta_2) * v[k] + real(1.0 - beta_2) * g * g
        m[k], v[k] = first, second
        parameters[k] -= real(rate) * first / (math.sqrt(second) + real(epsilon))
