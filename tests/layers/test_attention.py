"""Attention layers, called by hand, against the oracle and central differences."""

from __future__ import annotations

from functools import partial

import numba
import numpy as np
import pytest
import reference
import reference_attention as oracle
from differences import assert_gradient

from numlstm.kernels.replay import record
from numlstm.layers import AdditiveAttention, Attention

KINDS = {
    "dot": Attention,
    "dot, scaled": partial(Attention, use_scale=True),
    "concat": partial(Attention, score_mode="concat"),
    "concat, scaled": partial(Attention, score_mode="concat", use_scale=True),
    "additive": AdditiveAttention,
    "additive, not scaled": partial(AdditiveAttention, use_scale=False),
}
# B, Q, K, D, N
SIZES = [(1, 1, 1, 1, 1), (3, 5, 7, 2, 4), (2, 1, 13, 17, 3), (5, 3, 1, 3, 19)]


def draw(*shapes, seed=0):
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def layer_of(kind, arrays, **options):
    """A layer with weights unlike their initial ones."""
    layer = KINDS[kind](dtype="float64", **options)
    layer.build(tuple(array.shape for array in arrays))
    layer.set_weights([1.3 * array + 0.4 for array in draw(*(weight.shape for weight in layer.get_weights()), seed=9)])
    return layer


def scores_of(kind, layer, query, key):
    weights = [np.float64(1), np.float64(1)]
    if kind.endswith(", scaled") or kind == "additive":
        weights[0] = layer.get_weights()[0]
    if kind.startswith("dot"):
        return weights[0] * query @ key.transpose(0, 2, 1)
    if kind.startswith("concat"):
        return oracle.additive_scores(query, key, weights[0], layer.get_weights()[-1])
    return oracle.additive_scores(query, key, 1.0, weights[0])


def masks_of(B, Q, K):
    """A query mask and a value mask, each with an empty row."""
    random = np.random.default_rng(4)
    masks = [random.random((B, Q)) < 0.6, random.random((B, K)) < 0.6]
    masks[0][-1] = masks[1][0] = False
    return masks


MASKS = {
    "none": lambda *sizes: None,
    "both": masks_of,
    "query": lambda *sizes: [masks_of(*sizes)[0], None],
    "value": lambda *sizes: [None, masks_of(*sizes)[1]],
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_oracle(kind, sizes, masks, causal):
    B, Q, K, D, N = sizes
    query, value, key = draw((B, Q, D), (B, K, N), (B, K, D))
    mask = MASKS[masks](B, Q, K)
    for arrays in ([query, value, key], [query, key]):
        layer = layer_of(kind, arrays)
        expected = oracle.attention(arrays[1], scores_of(kind, layer, query, key), *(mask or (None, None)), causal)
        y, weights = layer(arrays, mask=mask, use_causal_mask=causal, return_attention_scores=True)
        np.testing.assert_allclose(y, expected[0], rtol=0, atol=1e-6 if masks in ("both", "value") else 1e-12)
        np.testing.assert_allclose(weights, expected[1], rtol=0, atol=1e-6 if masks in ("both", "value") else 1e-12)
        np.testing.assert_array_equal(layer(arrays, mask=mask, use_causal_mask=causal), y)
        shapes = tuple(array.shape for array in arrays)
        assert layer.output_shapes(shapes, return_attention_scores=True) == (y.shape, weights.shape)
        assert layer.output_shapes(shapes) == (layer.compute_output_shape(shapes),) == (y.shape,)


def check_gradients(kind, arrays, mask=None, causal=False, returned=False):
    layer = layer_of(kind, arrays)
    given = {"mask": mask, "use_causal_mask": causal, "return_attention_scores": returned}
    outputs = layer.forward(arrays, training=True, **given)
    upstream = draw(*(output.shape for output in (outputs if returned else [outputs])), seed=5)
    gradients = layer.backward(upstream if returned else upstream[0])
    weights, weight_gradients = layer.get_weights(), layer.gradients()

    def objective():
        outputs = layer(arrays, **given)
        return sum((a * d).sum() for a, d in zip(outputs if returned else [outputs], upstream, strict=True))

    def objective_of_weights():
        layer.set_weights(weights)
        return objective()

    for number, (weight, gradient) in enumerate(zip(weights, weight_gradients, strict=True)):
        assert_gradient(gradient, objective_of_weights, weight, f"weight {number}")
    layer.set_weights(weights)
    assert len(gradients) == len(arrays)
    for number, (array, gradient) in enumerate(zip(arrays, gradients, strict=True)):
        assert_gradient(gradient, objective, array, f"input {number}")


@pytest.mark.parametrize("masks", MASKS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, masks):
    query, value, key = draw((3, 4, 3), (3, 5, 2), (3, 5, 3))
    mask = MASKS[masks](3, 4, 5)
    if mask is not None and mask[1] is not None:
        # Beside 10⁹, a difference of scores has few digits.
        mask[1][0, 0] = True
    check_gradients(kind, [query, value, key], mask)
    check_gradients(kind, [query, key], mask, returned=True)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_causal_attention(kind):
    check_gradients(kind, draw((2, 5, 3), (2, 5, 3)), causal=True)
    check_gradients(kind, draw((2, 3, 1), (2, 4, 7), (2, 4, 1)), causal=True, returned=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_array_twice_has_two_gradients(kind):
    (a,) = draw((2, 3, 4))
    layer = layer_of(kind, [a, a])
    y = layer.forward([a, a], training=True)
    twice = layer.backward(np.ones_like(y))
    layer.forward([a, a.copy()], training=True)
    for gradient, expected in zip(twice, layer.backward(np.ones_like(y)), strict=True):
        np.testing.assert_array_equal(gradient, expected)
    assert np.abs(twice[0] - twice[1]).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_that_sees_no_key_takes_all(kind):
    """With float32, 10⁹ leaves nothing of the scores."""
    query, value = (array.astype("float32") for array in draw((2, 3, 4), (2, 5, 4)))
    mask = [None, np.array([[False] * 5, [True] * 5])]
    _, weights = KINDS[kind]()([query, value], mask=mask, return_attention_scores=True)
    np.testing.assert_allclose(weights[0], 0.2, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize("shapes", [[(0, 3, 2), (0, 4, 2)], [(2, 0, 3), (2, 4, 3)], [(2, 3, 2), (2, 0, 2)]], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_empty_inputs(kind, shapes):
    arrays = draw(*shapes)
    layer = layer_of(kind, arrays)
    y, weights = layer.forward(arrays, training=True, return_attention_scores=True)
    np.testing.assert_array_equal(y, np.zeros(shapes[0]))
    assert weights.shape == (*shapes[0][:2], shapes[1][1])
    for gradient, array in zip(layer.backward([y, weights]), arrays, strict=True):
        np.testing.assert_array_equal(gradient, np.zeros_like(array))
    assert all((gradient == 0).all() for gradient in layer.gradients())


# Dropout


@pytest.mark.parametrize("kind", ["dot, scaled", "additive"])
def test_dropout_of_the_weights(kind):
    """The oracle knows what is dropped, so the differences of all gradients can be taken."""
    arrays = draw((2, 3, 4), (2, 5, 4))
    layer = layer_of(kind, arrays, dropout=0.4, seed=3)
    for step in (1, 2):
        y, weights = layer.forward(arrays, training=True, return_attention_scores=True)
        kept = reference.dropout_kept(6, 5, 0.4, 3, 0, step).reshape(2, 3, 5) / 0.6

        np.testing.assert_allclose(weights, kept * layer(arrays, return_attention_scores=True)[1], rtol=1e-12)
        dy, dweights = draw(y.shape, weights.shape, seed=5)

        def objective(kept=kept, dy=dy, dweights=dweights):
            _, whole = layer(arrays, return_attention_scores=True)
            return ((kept * whole) @ arrays[1] * dy).sum() + (kept * whole * dweights).sum()

        for array, gradient in zip(arrays, layer.backward([dy, dweights]), strict=True):
            assert_gradient(gradient, objective, array, "x")
    assert (layer(arrays, return_attention_scores=True)[1] > 0).all()
    again = layer_of(kind, arrays, dropout=0.4, seed=3)
    again.random.step = 1
    np.testing.assert_array_equal(again.forward(arrays, training=True), y)


# Executors


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_can_be_recorded_and_overwrites_the_gradients(kind):
    """A replay reads the new numbers, masks and weights. A gradient may be unwanted."""
    arrays, masks = draw((3, 4, 2), (3, 5, 2)), masks_of(3, 4, 5)
    layer = layer_of(kind, arrays)
    dx = np.full((3, 5, 2), np.nan)
    executor = layer.new_executor(tuple(arrays), (None, dx), tuple(masks), training=True, use_causal_mask=True)
    assert executor.recordable
    assert executor.mask is masks[0]
    assert executor.outputs == (executor.y,)

    def step():
        executor.forward()
        executor.backward()

    executor.dy[...] = 0
    replay = record(step)
    for array, changed in zip(arrays, draw((3, 4, 2), (3, 5, 2), seed=3), strict=True):
        array[...] = changed
    masks[0][...], masks[1][...] = ~masks[0], ~masks[1]
    layer.set_weights([0.7 * weight for weight in layer.get_weights()])
    executor.dy[...] = 1.5
    replay()
    actual = [executor.y.copy(), dx.copy(), *layer.gradients()]
    y = layer.forward(arrays, training=True, mask=masks, use_causal_mask=True)
    expected = [y, layer.backward(np.full_like(y, 1.5))[1], *layer.gradients()]
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_without_training_leave_those_of_the_weights(kind):
    """As for the gradient of an output by the input."""
    arrays = draw((2, 3, 4), (2, 5, 4))
    layer = layer_of(kind, arrays)
    dx = [np.full(array.shape, np.nan) for array in arrays]
    y = layer.forward(arrays, training=True)
    expected, before = layer.backward(np.ones_like(y)), layer.gradients()
    executor = layer.new_executor(tuple(arrays), tuple(dx), (None, None), training=False)
    executor.forward()
    executor.dy[...] = 2
    executor.backward()
    for gradient, other in zip(dx, expected, strict=True):
        np.testing.assert_allclose(gradient, 2 * other, rtol=1e-12)
    for gradient, other in zip(layer.gradients(), before, strict=True):
        np.testing.assert_array_equal(gradient, other)


def test_a_row_has_the_same_bits_in_every_batch():
    arrays = [array.astype("float32") for array in draw((7, 5, 19), (7, 11, 19))]
    for kind in KINDS:
        layer = KINDS[kind]()
        whole = layer(arrays)
        np.testing.assert_array_equal(layer([array[2:3] for array in arrays]), whole[2:3])
        np.testing.assert_array_equal(layer([arrays[0][:, 1:3], arrays[1]]), whole[:, 1:3])


@pytest.mark.parametrize("kind", ["dot, scaled", "concat, scaled", "additive"])
def test_the_number_of_threads_changes_nothing(kind, dtype):
    arrays = [array.astype(dtype) for array in draw((6, 60, 33), (6, 50, 33))]
    layer, available, results = KINDS[kind](dtype=dtype), numba.get_num_threads(), []
    (dy,) = draw((6, 60, 33), seed=1)
    try:
        for threads in {1, available}:
            numba.set_num_threads(threads)
            y = layer.forward(arrays, training=True)
            results.append([y, *layer.backward(dy), *layer.gradients()])
    finally:
        numba.set_num_threads(available)
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


# Refusals


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 3, 4)], "takes .query, value. or .query, value, key., but 1 arrays were given"),
        ([(2, 3, 4)] * 4, "but 4 arrays were given"),
        ([(2, 3, 4), (2, 5, 3)], r"not shapes '\(2, 3, 4\), \(2, 5, 3\)'"),
        ([(2, 3, 4), (1, 5, 4)], "takes a query"),
        ([(2, 3, 4), (2, 5, 7), (2, 6, 4)], "takes a query"),
        ([(3, 4), (5, 4)], "takes a query"),
        ([(2, 3, 0), (2, 5, 0)], "takes a query"),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["dot", "additive"])
def test_shapes_that_do_not_fit(kind, shapes, message):
    with pytest.raises(ValueError, match=message):
        KINDS[kind]()([np.zeros(shape) for shape in shapes])


def test_arguments_that_do_not_fit():
    arrays = [np.zeros((2, 3, 4)), np.zeros((2, 5, 4))]
    with pytest.raises(ValueError, match="score_mode must be 'dot' or 'concat', not 'sum'"):
        Attention(score_mode="sum")
    with pytest.raises(ValueError, match="dropout must be from 0"):
        AdditiveAttention(dropout=1.0)
    with pytest.raises(TypeError, match="use_causal_mask must be True or False"):
        Attention()(arrays, use_causal_mask=1)
    with pytest.raises(TypeError, match="takes no argument 'causal'"):
        Attention()(arrays, causal=True)
    with pytest.raises(ValueError, match=r"mask 1 must have shape \(2, 5\)"):
        Attention()(arrays, mask=[None, np.ones((2, 3), bool)])
    with pytest.raises(TypeError, match=r"as in Attention\(\)\(\[query, value\]\)"):
        Attention()(arrays[0])
    layer = AdditiveAttention()
    layer(arrays)
    with pytest.raises(ValueError, match="has a scale for 4 features and cannot take 3"):
        layer([array[..., :3] for array in arrays])
    layer.forward(arrays, training=True, return_attention_scores=True)
    with pytest.raises(ValueError, match="dy must be a list of the gradients of the 2 outputs"):
        layer.backward(np.zeros((2, 3, 4)))


def test_weights_that_no_memory_holds():
    """Systems grant them, and stop the program later."""
    long = np.zeros((1, 10**7, 1), "float32")
    with pytest.raises(MemoryError, match="attention of 10000000 queries to 10000000 keys would need"):
        Attention()([long, long])


@pytest.mark.parametrize("kind", KINDS)
def test_a_configuration_makes_the_layer_again(kind):
    layer = KINDS[kind](dropout=0.2)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.seed is not None
