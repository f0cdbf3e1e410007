"""Gradients by central differences, which know nothing of how gradients are computed."""

from __future__ import annotations

import numpy as np

from numlstm.layers import Masking
from numlstm.layers.layer import all_layers

STEP = 1e-5


def numerical_gradient(function, array):
    """Central differences of a scalar function of an array, which is moved in place and put back."""
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + STEP
        above = function()
        array[index] = kept - STEP
        below = function()
        array[index] = kept
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


def assert_gradient(analytic, function, array, what):
    numerical = numerical_gradient(function, array)
    error = np.abs(analytic - numerical).max() / max(np.abs(numerical).max(), 1e-3)
    assert error < 1e-6, f"{what}: relative error {error:.3g}"


def model_gradient_error(model, x, random):
    """The relative error of a model's gradients along one random direction of all weights and inputs.

    The model is float64. Each pass is one of training, with the same dropout. What masks steps of an input stays.

    x: a list of arrays
    """
    ids = [model.input_dtype(index) == "int64" for index in range(len(x))]
    backend = model.backend
    upstream = [random.normal(size=output.shape) for output in model_outputs(model, x)]

    def run(given):
        """The outputs times `upstream`, and the gradients of that."""
        arrays = [backend.asarray(part, "int64" if i else "float64") for part, i in zip(given, ids, strict=True)]
        dx = [None if i else backend.zeros(part.shape, "float64") for part, i in zip(given, ids, strict=True)]
        executor = model.new_executor(arrays, training=True, dx=dx)
        # Executors run again and again: what the first pass left must not change the second.
        for _ in range(2):
            for layer in all_layers(model.layers):
                layer.random.step = 7
            executor.forward()
            value = sum((y * factor).sum() for y, factor in zip(executor.outputs, upstream, strict=True))
            for gradient, factor in zip(executor.output_gradients, upstream, strict=True):
                if gradient is not None:
                    backend.copy(gradient, factor)
            executor.backward()
        return value, dx, [gradient for layer in model.layers for gradient in layer.gradients()]

    weights = model.get_weights()
    along_w = [random.normal(size=weight.shape) for weight in weights]
    along_x = [np.zeros(part.shape) if i else random.normal(size=part.shape) for part, i in zip(x, ids, strict=True)]
    for index, part in enumerate(x):
        for layer in model.readers(index):
            if isinstance(layer, Masking):
                along_x[index] *= (part != layer.mask_value).any(axis=-1, keepdims=True)

    def moved(step):
        model.set_weights([w + step * d for w, d in zip(weights, along_w, strict=True)])
        return run([part if i else part + step * d for part, d, i in zip(x, along_x, ids, strict=True)])[0]

    numerical = (moved(STEP) - moved(-STEP)) / (2 * STEP)
    model.set_weights(weights)
    _, dx, gradients = run(x)
    pairs = [*zip(gradients, along_w, strict=True), *zip(dx, along_x, strict=True)]
    pairs = [(gradient, direction) for gradient, direction in pairs if gradient is not None]
    analytic = sum((gradient * direction).sum() for gradient, direction in pairs)
    scale = max(1e-2, np.sqrt(sum((gradient**2).sum() for gradient, _ in pairs)))
    return abs(analytic - numerical) / scale


def model_outputs(model, x):
    """The outputs of `predict` as a list, for a list of inputs."""
    outputs = model.predict(x if len(x) > 1 else x[0], verbose=0)
    return outputs if isinstance(outputs, list) else [outputs]
