"""What a model looks at: the gradient of its output with respect to its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from numlstm import checks

if TYPE_CHECKING:
    from numlstm.model import Sequential

__all__ = ["input_gradient"]


def input_gradient(model: Sequential, x: Any, index: int | None, batch_size: int) -> np.ndarray:
    """See `Sequential.input_gradient`."""
    batch_size = checks.integer(batch_size, "batch_size")
    if not model.layers:
        raise ValueError("the model has no layers: add one first")
    if model.input_dtype != model.dtype:
        raise ValueError("the model takes ids, which have no gradient")
    array = np.ascontiguousarray(model.check_input(x, "x"))
    if not model.built:
        model.build_for(array.shape)
    width = model.compute_output_shape(array.shape)[-1] or 0
    if index is not None and checks.integer(index, "index", least=0) >= width:
        raise ValueError(f"index must be below {width}, the number of outputs, not {index}")
    gradient = np.empty_like(array)
    for start in range(0, len(array), batch_size):
        rows = slice(start, start + batch_size)
        gradient[rows] = _gradient_of(model, array[rows], index)
    return gradient


def _gradient_of(model: Sequential, x: np.ndarray, index: int | None) -> np.ndarray:
    """That of one batch."""
    backend = model.backend
    dx = backend.empty(x.shape, model.dtype)
    chain = model.passes(backend.asarray(x, model.dtype), training=False, dx=dx)
    for run in chain:
        run.forward()
    dy = np.ones(chain[-1].y.shape, model.dtype)
    if index is not None:
        dy[...] = 0
        dy[..., index] = 1
    backend.copy(chain[-1].dy, dy)
    for run in reversed(chain):
        run.backward()
    return backend.to_host(dx)
