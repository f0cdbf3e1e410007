"""100 random graphs of all layers, in float64: gradients, outputs layer by layer, files, and recorded steps."""

from __future__ import annotations

import numpy as np
import pytest
from differences import model_gradient_error, model_outputs
from random_graphs import graph

from numlstm import load_model
from numlstm.layers import AdditiveAttention, Attention, Concatenate, Dot, Embedding, Flatten, Masking, RepeatVector
from numlstm.layers.recurrent.sequence import SequenceLayer


@pytest.mark.parametrize("seed", range(100))
def test_directional_derivative(seed):
    model, x, random = graph(seed)
    error = model_gradient_error(model, x, random)
    assert error < 1e-6, f"{[layer.name for layer in model.layers]}: relative error {error:.3g}"


# Layer by layer


def mask_after(layer, x, masks):
    """The mask of a layer's first output by Keras' rules, for its inputs and their masks."""
    if isinstance(layer, Embedding):
        return x[0] != 0 if layer.mask_zero else None
    if isinstance(layer, Masking):
        return (x[0] != layer.mask_value).any(axis=-1)
    if isinstance(layer, Dot | Flatten | RepeatVector):
        return None
    if isinstance(layer, SequenceLayer):
        if masks[0] is None or not layer.return_sequences:
            return None
        return masks[0][:, ::-1] if getattr(layer, "go_backwards", False) else masks[0]
    if isinstance(layer, Attention | AdditiveAttention):
        return masks[0]
    if isinstance(layer, Concatenate):
        if all(mask is None for mask in masks):
            return None
        full = [np.ones(part.shape[:2], bool) if m is None else m for part, m in zip(x, masks, strict=True)]
        if layer.axis_of(x[0].ndim) == 1:
            return np.concatenate(full, axis=1)
        return np.logical_or.reduce(full)
    if layer.several:
        return None if any(mask is None for mask in masks) else np.logical_or.reduce(masks)
    return masks[0]


def by_hand(model, x):
    """The outputs, computed by calls of the layers with arrays."""
    arrays, masks = dict(zip(model.inputs, x, strict=True)), {}
    for call in model.calls:
        read = [arrays[symbol] for symbol in call.inputs]
        known = [masks.get(symbol) for symbol in call.inputs]
        options = dict(call.options)
        if isinstance(call.layer, SequenceLayer):
            options["mask"] = known[0]
            if call.states:
                options["initial_state"] = [arrays[symbol] for symbol in call.states]
        elif call.layer.several:
            options["mask"] = known
        outputs = call.layer(read if call.layer.several else read[0], **options)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        arrays.update(zip(call.outputs, outputs, strict=True))
        mask = mask_after(call.layer, read, known)
        # Attention scores have no mask. Both directions of a Bidirectional that merges nothing have one.
        for symbol, output in zip(call.outputs, outputs, strict=True):
            masks[symbol] = mask if output.ndim > 2 and not (call.options and symbol.index) else None
    return [arrays[symbol] for symbol in model.outputs]


@pytest.mark.parametrize("seed", range(100))
def test_layer_by_layer(seed):
    model, x, _ = graph(seed)
    for output, expected in zip(model_outputs(model, x), by_hand(model, x), strict=True):
        np.testing.assert_array_equal(output, expected)


# Files and training


@pytest.mark.parametrize("seed", range(100))
def test_a_file_brings_it_back(seed, tmp_path):
    model, x, _ = graph(seed)
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    for output, expected in zip(model_outputs(loaded, x), model_outputs(model, x), strict=True):
        np.testing.assert_array_equal(output, expected)


@pytest.mark.parametrize("seed", range(100))
def test_recorded_steps_give_the_same_bits(seed, tmp_path):
    """`fit` records the third step and replays it, where `train_on_batch` runs the layers each time."""
    model, x, random = graph(seed)
    y = [random.normal(size=output.shape) for output in model_outputs(model, x)]
    model.compile("adam", "mse")
    model.save(tmp_path / "model.safetensors")
    replayed, stepped = (load_model(tmp_path / "model.safetensors") for _ in range(2))
    replayed.fit(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], epochs=5, shuffle=False, verbose=0)
    for _ in range(5):
        stepped.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])
    for a, b in zip(replayed.get_weights(), stepped.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
