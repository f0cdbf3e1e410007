"""Keras itself as a witness: layers that take several arrays, with masks."""

from __future__ import annotations

import numpy as np
import pytest
from test_keras_layers import compare
from witness import witness

from numlstm import layers

keras = witness("keras")

B, T, F = 4, 5, 3
MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]


def draw(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype("float32") for shape in shapes]


def masks_of(*shapes):
    masks = [np.random.default_rng(number).random(shape) < 0.5 for number, shape in enumerate(shapes)]
    for mask in masks:
        mask[0] = False
    return masks


def masked(array, mask):
    """A tensor of Keras' that carries a mask."""
    tensor = keras.ops.convert_to_tensor(array)
    if mask is not None:
        keras.src.backend.set_keras_mask(tensor, keras.ops.convert_to_tensor(mask))
    return tensor


@pytest.mark.parametrize("given", [(False, False), (True, True), (True, False), (False, True)], ids=str)
@pytest.mark.parametrize("name", [*MERGES, "Concatenate"])
def test_merges_with_masks(name, given):
    """Where nothing of an all-masked step can be seen, too."""
    arrays = draw((B, T, F), (B, T, F))
    masks = [mask if there else None for mask, there in zip(masks_of((B, T), (B, T)), given, strict=True)]
    for options in [{}, {"axis": 1}] if name == "Concatenate" else [{}]:
        ours, theirs = (getattr(package, name)(**options) for package in (layers, keras.layers))
        y = theirs([masked(array, mask) for array, mask in zip(arrays, masks, strict=True)])
        compare(ours(arrays, mask=masks), y)
        executor = ours.new_executor(tuple(arrays), (None, None), tuple(masks), training=False)
        executor.forward()
        mask = keras.src.backend.get_keras_mask(y)
        ones = np.ones(y.shape[:2], bool)
        # A mask that is True everywhere is none.
        np.testing.assert_array_equal(
            ones if executor.mask is None else executor.mask, ones if mask is None else keras.ops.convert_to_numpy(mask)
        )


@pytest.mark.parametrize(
    "shapes", [[(B, 1, F), (B, T, F)], [(B, F), (B, T, F)], [(B, T, 1), (B, 1, F)], [(B, F)] * 3], ids=str
)
@pytest.mark.parametrize("name", MERGES)
def test_merges_of_other_shapes(name, shapes):
    shapes = shapes[:2] if name == "Subtract" else shapes
    compare(getattr(layers, name)()(draw(*shapes)), getattr(keras.layers, name)()(draw(*shapes)))


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (1, [(B, F), (B, F)]),
        (-1, [(B, T, F), (B, T + 1, F)]),
        ((2, 1), [(B, T, F), (B, F, T)]),
        (1, [(B, T, F), (B, T, F + 1)]),
        ((1, 2), [(B, F), (B, T, F)]),
        ((2, 1), [(B, T, F), (B, F)]),
    ],
    ids=str,
)
def test_dot(axes, shapes):
    compare(layers.Dot(axes)(draw(*shapes)), keras.layers.Dot(axes)(draw(*shapes)))


# Attention


ATTENTIONS = {
    "dot": ("Attention", {}),
    "dot, scaled": ("Attention", {"use_scale": True}),
    "concat": ("Attention", {"score_mode": "concat"}),
    "concat, scaled": ("Attention", {"score_mode": "concat", "use_scale": True}),
    "additive": ("AdditiveAttention", {}),
    "additive, not scaled": ("AdditiveAttention", {"use_scale": False}),
}


def pair(kind, arrays):
    """Our layer and Keras', with the same weights."""
    name, options = ATTENTIONS[kind]
    ours, theirs = (getattr(package, name)(**options) for package in (layers, keras.layers))
    shapes = [array.shape for array in arrays]
    ours.build(tuple(shapes))
    theirs.build(shapes)
    assert [weight.shape for weight in ours.get_weights()] == [weight.shape for weight in theirs.get_weights()]
    weights = [0.5 * array + 0.7 for array in draw(*(weight.shape for weight in ours.get_weights()), seed=2)]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("given", [(False, False), (True, True), (True, False), (False, True)], ids=str)
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_attention(kind, given, causal):
    """Rows without a key, too: both take all keys nearly equally."""
    query, value, key = draw((B, T, F), (B, T + 2, F + 1), (B, T + 2, F))
    mask = [each if there else None for each, there in zip(masks_of((B, T), (B, T + 2)), given, strict=True)]
    for arrays in ([query, value, key], [query, key]):
        ours, theirs = pair(kind, arrays)
        options = {"mask": mask, "use_causal_mask": causal, "return_attention_scores": True}
        y, scores = ours(arrays, **options)
        compare([y, scores], theirs(arrays, **options), 2e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the gradients are PyTorch's")
@pytest.mark.parametrize("kind", ATTENTIONS)
def test_gradients_of_attention(kind):
    import torch

    arrays, mask = draw((B, T, F), (B, T + 2, F)), masks_of((B, T), (B, T + 2))
    ours, theirs = pair(kind, arrays)
    options = {"mask": mask, "return_attention_scores": True}
    upstream = draw((B, T, F), (B, T, T + 2), seed=3)
    ours.forward(arrays, training=True, **options)
    gradients = [*ours.backward(upstream), *ours.gradients()]
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    options["mask"] = [torch.tensor(each) for each in mask]
    outputs = theirs(tensors, **options)
    variables = [variable.value for variable in theirs.trainable_variables]
    loss = sum((output * torch.tensor(given)).sum() for output, given in zip(outputs, upstream, strict=True))
    for gradient, expected in zip(gradients, torch.autograd.grad(loss, [*tensors, *variables]), strict=True):
        expected = expected.detach().cpu().numpy()
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=5e-6 * max(1, np.abs(expected).max()))
