"""Saliency: the gradient of a model's output with respect to its input."""

from __future__ import annotations

from typing import Any

import numpy as np

from numlstm import checks
from numlstm.network import Network

__all__ = ["input_gradient"]


def input_gradient(network: Network, x: Any, index: int | None, batch_size: int) -> np.ndarray:
    """Compute the gradient of the outputs with respect to x. Arguments and errors as for `Model.input_gradient`."""
    batch_size = checks.integer(batch_size, "batch_size")
    if not network.layers:
        raise ValueError("the model has no layers: add one first")
    if network.input_dtype != network.dtype:
        raise ValueError("the model takes ids, which have no gradient")
    array = np.ascontiguousarray(network.check_input(x, "x"))
    if not network.built:
        network.build_for(array.shape)
    width = network.compute_output_shape(array.shape)[-1] or 0
    if index is not None and checks.integer(index, "index", least=0) >= width:
        raise ValueError(f"index must be below {width}, the number of outputs, not {index}")
    gradient = np.empty_like(array)
    for start in range(0, len(array), batch_size):
        rows = slice(start, start + batch_size)
        gradient[rows] = _gradient_of(network, array[rows], index)
    return gradient


def _gradient_of(network: Network, x: np.ndarray, index: int | None) -> np.ndarray:
    """Compute the gradient for one batch."""
    backend = network.backend
    dx = backend.empty(x.shape, network.dtype)
    executor = network.new_executor(backend.asarray(x, network.dtype), training=False, dx=dx)
    executor.forward()
    dy = np.ones(executor.y.shape, network.dtype)
    if index is not None:
        dy[...] = 0
        dy[..., index] = 1
    backend.copy(executor.dy, dy)
    executor.backward()
    return backend.to_host(dx)
