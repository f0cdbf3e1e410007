"""Saliency: the gradient of a model's output with respect to its input."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.network import Network
from numlstm.training.input_checker import InputChecker

__all__ = ["input_gradient"]


def input_gradient(network: Network, x: Any, index: int | None, batch_size: int) -> list[np.ndarray]:
    """Compute the gradient of the outputs for each input. Arguments and errors as for `Model.input_gradient`."""
    batch_size = checks.integer(batch_size, "batch_size")
    checker = InputChecker(network, [])
    arrays = checker.samples(x, None, None).x
    dtype = network.dtype
    if all(network.input_dtype(number) != dtype for number in range(len(arrays))):
        raise ValueError("the model takes ids, which have no gradient")
    shapes = network.compute_output_shapes(tuple(array.shape for array in arrays))
    width = min(shape[-1] or 0 for shape in shapes)
    if index is not None and checks.integer(index, "index", least=0) >= width:
        raise ValueError(f"index must be below {width}, the number of outputs, not {index}")
    gradients = [np.zeros(array.shape, dtype) for array in arrays]
    for start in range(0, len(arrays[0]), batch_size):
        rows = slice(start, start + batch_size)
        parts = _gradients_of(network, [array[rows] for array in arrays], index)
        for gradient, part in zip(gradients, parts, strict=True):
            if part is not None:
                gradient[rows] = part
    return gradients


def _gradients_of(network: Network, x: list[np.ndarray], index: int | None) -> list[np.ndarray | None]:
    """Compute the gradients for one batch; None for ids."""
    backend, dtypes = network.backend, [network.input_dtype(number) for number in range(len(x))]
    dx = [
        backend.zeros(part.shape, dtype) if dtype == network.dtype else None
        for part, dtype in zip(x, dtypes, strict=True)
    ]
    arrays = [backend.asarray(part, dtype) for part, dtype in zip(x, dtypes, strict=True)]
    executor = network.new_executor(arrays, training=False, dx=dx)
    executor.forward()
    for y, gradient in zip(executor.outputs, executor.output_gradients, strict=True):
        if gradient is None:
            continue
        dy = np.ones(y.shape, network.dtype)
        if index is not None:
            dy[...] = 0
            dy[..., index] = 1
        backend.copy(gradient, dy)
    executor.backward()
    return [None if part is None else backend.to_host(part) for part in dx]
