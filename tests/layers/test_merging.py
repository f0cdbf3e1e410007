"""Layers that merge several arrays, called by hand."""

from __future__ import annotations

import numpy as np
import pytest
from differences import assert_gradient

from numlstm import Input, Model, Sequential, layers
from numlstm.kernels.replay import record
from numlstm.layers import Add, Attention, Average, Concatenate, Dense, Maximum, Minimum, Multiply, Subtract

MERGES = {
    Add: lambda arrays: sum(arrays),
    Average: lambda arrays: sum(arrays) / len(arrays),
    Subtract: lambda arrays: arrays[0] - arrays[1],
    Multiply: lambda arrays: np.prod(np.broadcast_arrays(*arrays), axis=0),
    Maximum: lambda arrays: np.max(np.broadcast_arrays(*arrays), axis=0),
    Minimum: lambda arrays: np.min(np.broadcast_arrays(*arrays), axis=0),
}
EVERY = [*MERGES, Concatenate]
SHAPES = {
    "rows": [(3, 5), (3, 5)],
    "sequences": [(2, 3, 5), (2, 3, 5)],
    "a step for all": [(2, 1, 5), (2, 7, 5)],
    "a feature for all": [(2, 7, 5), (2, 7, 1)],
    "each in one axis": [(2, 1, 5), (2, 7, 1)],
    "a number for all": [(3, 1, 1), (3, 2, 5)],
    "other ranks": [(2, 3, 5), (2, 5)],
    "one": [(1, 1), (1, 1)],
    "no rows": [(0, 3, 5), (0, 3, 5)],
    "no steps": [(2, 0, 5), (2, 0, 5)],
}


def draw(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def aligned(arrays):
    """Arrays whose missing axes are there: Keras puts them after the batch."""
    rank = max(array.ndim for array in arrays)
    return [array.reshape(array.shape[0], *(1,) * (rank - array.ndim), *array.shape[1:]) for array in arrays]


def check_gradients(layer, arrays, **given):
    """All gradients against central differences, the same array twice too."""
    y = layer.forward(arrays, training=True, **given)
    np.testing.assert_array_equal(y, layer(arrays, **given))
    (dy,) = draw(y.shape, seed=7)
    gradients = layer.backward(dy)
    assert len(gradients) == len(arrays)
    for number, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        assert gradient.shape == array.shape
        if array.size:
            assert_gradient(gradient, lambda: (layer(arrays, **given) * dy).sum(), array, f"input {number}")


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("layer_class", MERGES)
def test_elements_are_merged(layer_class, name):
    arrays = draw(*SHAPES[name])
    y = layer_class(dtype="float64")(arrays)
    np.testing.assert_allclose(y, MERGES[layer_class](aligned(arrays)), rtol=0, atol=1e-14)
    assert layer_class().compute_output_shape(tuple(SHAPES[name])) == y.shape
    check_gradients(layer_class(dtype="float64"), arrays)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("layer_class", [merge for merge in MERGES if merge is not Subtract])
def test_one_array_and_three(layer_class, count):
    arrays = draw(*[(2, 3, 5)] * count)
    y = layer_class(dtype="float64")(arrays)
    np.testing.assert_allclose(y, MERGES[layer_class](arrays), rtol=0, atol=1e-14)
    assert not any(np.may_share_memory(y, array) for array in arrays)
    check_gradients(layer_class(dtype="float64"), arrays)


@pytest.mark.parametrize(("layer_class", "factors"), [(Add, (1, 1)), (Subtract, (1, -1)), (Maximum, (0.5, 0.5))])
def test_the_same_array_twice_has_two_gradients(layer_class, factors):
    (a,) = draw((2, 3))
    layer = layer_class(dtype="float64")
    layer.forward([a, a], training=True)
    for gradient, factor in zip(layer.backward(a), factors, strict=True):
        np.testing.assert_array_equal(gradient, factor * a)


@pytest.mark.parametrize(
    ("axis", "shapes"),
    [
        (-1, [(3, 5), (3, 2), (3, 1)]),
        (1, [(3, 5), (3, 2)]),
        (-1, [(2, 3, 5), (2, 3, 1)]),
        (2, [(2, 3, 5), (2, 3, 1)]),
        (1, [(2, 3, 5), (2, 1, 5), (2, 7, 5)]),
        (-2, [(2, 3, 5), (2, 0, 5)]),
        (1, [(0, 3, 5), (0, 1, 5)]),
        (-1, [(2, 3, 2, 5), (2, 3, 2, 1)]),
        (-1, [(1, 1)]),
    ],
    ids=str,
)
def test_concatenate(axis, shapes):
    arrays, layer = draw(*shapes), Concatenate(axis, dtype="float64")
    y = layer(arrays)
    np.testing.assert_array_equal(y, np.concatenate(arrays, axis=axis))
    assert layer.compute_output_shape(tuple(shapes)) == y.shape
    check_gradients(layer, arrays)


# Masks


def masks_of(B, T, count, seed=0):
    """Masks with an empty row in all of them."""
    masks = list(np.random.default_rng(seed).random((count, B, T)) < 0.5)
    for mask in masks:
        mask[0] = False
    return masks


def mask_of(layer, arrays, masks):
    """The mask of the output, as a graph gets it."""
    layer(arrays)
    backend = layer.backend
    given = tuple(None if mask is None else backend.asarray(mask, "bool") for mask in masks)
    executor = layer.new_executor(tuple(arrays), (None,) * len(arrays), given, training=False)
    assert executor.dy is None
    executor.forward()
    (mask,) = executor.masks
    return None if mask is None else backend.to_host(mask).copy()


@pytest.mark.parametrize("layer_class", MERGES)
def test_a_step_counts_that_counts_in_an_input(layer_class):
    arrays, masks = draw((3, 5, 2), (3, 5, 2)), masks_of(3, 5, 2)
    layer = layer_class(dtype="float64")
    np.testing.assert_array_equal(mask_of(layer, arrays, masks), masks[0] | masks[1])
    assert mask_of(layer, arrays, [masks[0], None]) is None
    assert mask_of(layer, arrays, [None, masks[0]]) is None
    one_step = draw((3, 1, 2), (3, 5, 2))
    np.testing.assert_array_equal(mask_of(layer, one_step, [masks[0][:, :1], masks[1]]), masks[0][:, :1] | masks[1])


def test_masks_of_a_concatenation():
    arrays, (a, b) = draw((3, 5, 2), (3, 5, 2)), masks_of(3, 5, 2)
    features, steps = Concatenate(dtype="float64"), Concatenate(1, dtype="float64")
    np.testing.assert_array_equal(mask_of(features, arrays, [a, b]), a | b)
    assert mask_of(features, arrays, [a, None]) is None
    np.testing.assert_array_equal(mask_of(steps, arrays, [a, b]), np.hstack([a, b]))
    np.testing.assert_array_equal(mask_of(steps, arrays, [None, b]), np.hstack([np.ones_like(a), b]))
    assert mask_of(steps, arrays, [None, None]) is None
    assert mask_of(steps, draw((3, 5), (3, 2)), [None, None]) is None


@pytest.mark.parametrize("given", [(True, True, True), (True, False, True), (False, True, True)], ids=str)
@pytest.mark.parametrize("layer_class", [Multiply, Maximum, Minimum])
def test_masked_steps_are_left_out(layer_class, given):
    """They may be NaN, where another input counts."""
    arrays = draw(*[(3, 5, 2)] * 3)
    masks = [mask if there else None for mask, there in zip(masks_of(3, 5, 3), given, strict=True)]
    neutral = {Multiply: 1, Maximum: -np.inf, Minimum: np.inf}[layer_class]
    counted = [
        array if mask is None else np.where(mask[..., None], array, neutral)
        for array, mask in zip(arrays, masks, strict=True)
    ]
    somewhere = np.any([np.ones((3, 5), bool) if mask is None else mask for mask in masks], axis=0)
    expected = np.where(somewhere[..., None], MERGES[layer_class](counted), 0 if layer_class is Multiply else arrays[0])
    layer = layer_class(dtype="float64")
    np.testing.assert_allclose(layer(arrays, mask=masks), expected, rtol=0, atol=1e-14)
    dirty = [
        array if mask is None else np.where(mask[..., None], array, np.nan)
        for array, mask in zip(arrays, masks, strict=True)
    ]
    y = layer.forward(dirty, training=True, mask=masks)
    np.testing.assert_allclose(y[somewhere], expected[somewhere], rtol=0, atol=1e-14)
    (dy,) = draw(y.shape, seed=1)
    dy[~somewhere] = 0
    layer.forward(arrays, training=True, mask=masks)
    for array, gradient in zip(arrays, layer.backward(dy), strict=True):
        assert_gradient(gradient, lambda: (layer(arrays, mask=masks) * dy).sum(), array, "x")


# Executors


@pytest.mark.parametrize("layer_class", EVERY)
def test_a_pass_can_be_recorded_and_overwrites_the_gradients(layer_class):
    """A replay reads the new numbers and masks. A gradient may be unwanted."""
    layer = layer_class(dtype="float64")
    arrays, masks = draw((3, 5, 2), (3, 5, 2)), masks_of(3, 5, 2)
    layer(arrays)
    dx = np.full((3, 5, 2), np.nan)
    executor = layer.new_executor(tuple(arrays), (None, dx), tuple(masks), training=True)
    assert executor.recordable

    def step():
        executor.forward()
        executor.dy[...] = 1.5
        executor.backward()

    executor.dy[...] = 0
    replay = record(step)
    for seed in (3, 4):
        for array, changed in zip(arrays, draw((3, 5, 2), (3, 5, 2), seed=seed), strict=True):
            array[...] = changed
        for mask, changed in zip(masks, masks_of(3, 5, 2, seed), strict=True):
            mask[...] = changed
        dx[...] = np.nan
        executor.dy[...] = 1.5
        replay()
        y = layer.forward(arrays, training=True, mask=masks)
        np.testing.assert_array_equal(executor.y, y)
        np.testing.assert_array_equal(executor.mask, masks[0] | masks[1])
        np.testing.assert_array_equal(dx, layer.backward(np.full_like(y, 1.5))[1])


# Refusals


@pytest.mark.parametrize(
    ("layer", "arrays", "message"),
    [
        (Add(), np.zeros((2, 3)), r"takes a list of arrays, as in Add\(\)\(\[a, b\]\)"),
        (Add(), [], "takes a list of arrays"),
        (Subtract(), [np.zeros((2, 3))] * 3, "takes two arrays, but 3 were given"),
        (Add(), [np.zeros((2, 3)), np.zeros((2, 4))], r"arrays of one shape.*\(2, 3\), \(2, 4\)"),
        (Add(), [np.zeros((2, 3)), np.zeros((3, 3))], "arrays of one shape"),
        (Add(), [np.zeros((1, 3)), np.zeros((2, 3))], "arrays of one shape"),
        (Add(), [np.zeros((2, 1, 3, 1)), np.zeros((2, 4, 3, 5))], "if they are adjacent: it cannot repeat"),
        (Concatenate(), [np.zeros((2, 3, 4)), np.zeros((2, 2, 4))], "differ along axis -1 only"),
        (Concatenate(), [np.zeros((2, 3)), np.zeros((2, 3, 4))], "differ along axis -1 only"),
        (Concatenate(3), [np.zeros((2, 3)), np.zeros((2, 3))], "along axis 3, but its inputs have 2 axes"),
        (Concatenate(-2), [np.zeros((2, 3)), np.zeros((2, 3))], "along axis -2, but its inputs have 2 axes"),
    ],
)
def test_inputs_that_do_not_fit(layer, arrays, message):
    with pytest.raises((ValueError, TypeError), match=message):
        layer(arrays)


def test_calls_that_do_not_fit():
    arrays, mask = [np.zeros((2, 3, 4)), np.zeros((2, 3, 4))], np.ones((2, 3), bool)
    with pytest.raises(ValueError, match="a mask or None for each of the 2 inputs"):
        Add()(arrays, mask=[mask])
    with pytest.raises(ValueError, match=r"mask 1 must have shape \(2, 3\)"):
        Add()(arrays, mask=[mask, mask.T])
    with pytest.raises(ValueError, match="mask 0 must be None: input 0 has no time axis"):
        Add()([np.zeros((2, 3))], mask=[mask])
    with pytest.raises(TypeError, match="takes no argument 'use_causal_mask'"):
        Add()(arrays, use_causal_mask=True)
    with pytest.raises(ValueError, match="use forward"):
        Add()(arrays, training=True)
    with pytest.raises(ValueError, match="before it"):
        Add().backward(arrays[0])
    for layer in (Add(), Subtract(), Concatenate(), Attention()):
        with pytest.raises(ValueError, match=r"several arrays: call it with a list of them, as in .*, not with shape"):
            layer.build((None, 3))
        with pytest.raises(ValueError, match="a list of arrays"):
            Sequential([Dense(3), layer]).predict(np.zeros((2, 3)))
        with pytest.raises(ValueError, match="a list of arrays"):
            Sequential([type(layer)()]).predict(np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="axis must not be 0"):
        Concatenate(0)
    with pytest.raises(TypeError, match="takes no argument 'input_shape'"):
        Add(input_shape=(3,))
    layer = Add()
    layer.forward(arrays, training=True)
    with pytest.raises(ValueError, match=r"dy must have the output's shape \(2, 3, 4\)"):
        layer.backward(np.zeros((2, 3)))


@pytest.mark.parametrize("layer", [Add(), Concatenate(1, name="joined")], ids=["add", "concatenate"])
def test_a_configuration_makes_the_layer_again(layer):
    assert type(layer).from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(
            (name, {})
            for name in ("Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract", "Concatenate", "Dot")
        ),
        ("Concatenate", {"axis": 1}),
        ("Dot", {"axes": 1, "name": "products"}),
    ],
    ids=str,
)
def test_functions_make_a_layer_and_call_it(name, options):
    """As in Keras: `add([a, b])` is `Add()([a, b])`, for arrays and in a graph."""
    arrays = list(np.random.default_rng(0).normal(size=(2, 3, 4, 4)))
    function = getattr(layers, name.lower())
    expected = getattr(layers, name)(**{"axes": -1} if name == "Dot" and not options else options)(arrays)
    np.testing.assert_array_equal(function(arrays, **options), expected)
    inputs = [Input((4, 4)), Input((4, 4))]
    model = Model(inputs, function(inputs, **options))
    assert type(model.layers[0]).__name__ == name
    np.testing.assert_allclose(model.predict(arrays), expected, rtol=1e-6)
