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
