"""Keras as a witness of random graphs: equal outputs for equal weights, masks included."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from differences import model_outputs
from random_graphs import graph
from witness import keras_in_float64

from numlstm.layers import Bidirectional, TimeDistributed


@pytest.fixture(scope="module")
def keras():
    with keras_in_float64() as module:
        yield module


def twin_layer(keras, layer):
    """Keras' layer with the same arguments."""
    if isinstance(layer, Bidirectional):
        forward, backward = (twin_layer(keras, part) for part in (layer.forward_layer, layer.backward_layer))
        return keras.layers.Bidirectional(forward, merge_mode=layer.merge_mode, backward_layer=backward)
    if isinstance(layer, TimeDistributed):
        return keras.layers.TimeDistributed(twin_layer(keras, layer.layer))
    kind = getattr(keras.layers, type(layer).__name__)
    theirs = {*inspect.signature(kind).parameters, "zero_output_for_mask"} - {"name", "dtype", "seed"}
    config = layer.get_config()
    return kind(**{name: config[name] for name in config if name in theirs and not name.endswith("_initializer")})


def twin_model(keras, model):
    """Keras' model of the same graph, with the same weights."""
    symbols, layers = {}, {}
    for index, symbol in enumerate(model.inputs):
        dtype = "int32" if model.input_dtype(index) == "int64" else "float64"
        symbols[symbol] = keras.Input(symbol.shape[1:], dtype=dtype)
    for call in model.calls:
        layer = layers.setdefault(call.layer, twin_layer(keras, call.layer))
        read = [symbols[symbol] for symbol in call.inputs]
        options = dict(call.options)
        if call.states:
            options["initial_state"] = [symbols[symbol] for symbol in call.states]
            # Keras 3 forgets the mask of a recurrent layer that is given a state, unless the mask is given too.
            mask = keras.src.backend.get_keras_mask(read[0])
            options |= {} if mask is None else {"mask": mask}
        outputs = layer(read if call.layer.several else read[0], **options)
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        symbols.update(zip(call.outputs, outputs, strict=True))
    for ours, theirs in layers.items():
        theirs.set_weights(ours.get_weights())
    return keras.Model([symbols[each] for each in model.inputs], [symbols[each] for each in model.outputs])


def turns_a_mask(model):
    """Whether a layer may read a mask backwards and return sequences: Keras returns the mask as it was."""
    configs = [layer.get_config() for layer in model.layers]
    masked = any(config.get("mask_zero") or "mask_value" in config for config in configs)
    return masked and any(config.get("go_backwards") for config in configs)


def test_random_graphs(keras):
    compared = 0
    for seed in range(60):
        model, x, _ = graph(seed)
        if turns_a_mask(model):
            continue
        compared += 1
        outputs = twin_model(keras, model)([keras.ops.convert_to_tensor(part) for part in x])
        outputs = outputs if isinstance(outputs, list | tuple) else [outputs]
        for ours, theirs in zip(model_outputs(model, x), outputs, strict=True):
            # Keras computes parts of it in float32.
            theirs = keras.ops.convert_to_numpy(theirs)
            np.testing.assert_allclose(ours, theirs, rtol=3e-5, atol=3e-6, err_msg=f"seed {seed}")
    assert compared > 50
