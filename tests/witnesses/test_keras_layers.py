"""Keras itself as a witness: outputs, states and gradients of its recurrent layers, for equal weights."""

from __future__ import annotations

import numpy as np
import pytest
from witness import witness

from numlstm import layers, utils

keras = witness("keras")

B, T, F, H = 4, 5, 3, 6
BOUND = 1e-6
LAYERS = ["LSTM", "SimpleRNN", "GRU", "GRU that resets before"]


def masks(layer_name):
    random = np.random.default_rng(1)
    lengths = np.array([5, 2, 1, 3])[:, None]
    return {
        None: None,
        "left": np.arange(T) >= T - lengths,
        "right": np.arange(T) < lengths,
        "holes": random.random((B, T)) < 0.6,
        "empty rows": np.repeat(np.array([[True], [False], [True], [False]]), T, axis=1),
    }[layer_name]


def pair(layer_name, units=H, wrapped=None, **options):
    """Our layer and Keras', with the same weights, the biases included."""
    if layer_name == "GRU that resets before":
        layer_name, options = "GRU", {"reset_after": False, **options}
    ours = getattr(layers, layer_name)(units, **options)
    theirs = getattr(keras.layers, layer_name)(units, **options)
    if wrapped is not None:
        ours, theirs = layers.Bidirectional(ours, **wrapped), keras.layers.Bidirectional(theirs, **wrapped)
    ours.build((None, None, F))
    theirs.build((B, T, F))
    random = np.random.default_rng(2)
    weights = [0.3 * random.normal(size=weight.shape) for weight in ours.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


def compare(actual, expected, bound=BOUND):
    actual = actual if isinstance(actual, list) else [actual]
    expected = expected if isinstance(expected, list | tuple) else [expected]
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        b = keras.ops.convert_to_numpy(b)
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=0, atol=bound * max(1, np.abs(b).max()))


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


def states(count):
    return list(np.random.default_rng(3).normal(size=(count, B, H)).astype("float32"))


@pytest.mark.parametrize("layer_name", LAYERS)
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "left", "right", "holes", "empty rows"])
@pytest.mark.parametrize(
    "options",
    [{}, {"go_backwards": True}, {"use_bias": False}, {"zero_output_for_mask": True}, {"activation": "relu"}],
    ids=str,
)
def test_recurrent(x, layer_name, return_sequences, mask_kind, options):
    ours, theirs = pair(layer_name, return_sequences=return_sequences, return_state=True, **options)
    mask = masks(mask_kind)
    compare(ours(x, mask=mask), theirs(x, mask=mask))
    initial = states(len(ours.state_letters))
    compare(ours(x, mask=mask, initial_state=initial), theirs(x, mask=mask, initial_state=initial))


@pytest.mark.parametrize("recurrent_activation", ["sigmoid", "hard_sigmoid", "tanh", "relu", "linear"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_sigmoid", "linear", None])
@pytest.mark.parametrize("layer_name", [layer_name for layer_name in LAYERS if layer_name != "SimpleRNN"])
def test_activations(x, layer_name, activation, recurrent_activation):
    options = {"activation": activation, "recurrent_activation": recurrent_activation, "return_sequences": True}
    ours, theirs = pair(layer_name, 4, **options)
    # A GRU's h has factors z and 1 - z: without bounds to them, roundings of float32 grow from step to step.
    unbounded = layer_name == "GRU" and recurrent_activation == "linear"
    compare(ours(x), theirs(x), 20 * BOUND if unbounded else BOUND)


@pytest.mark.parametrize("layer_name", LAYERS)
@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("mask_kind", [None, "left", "right", "holes", "empty rows"])
def test_bidirectional(x, layer_name, merge_mode, return_sequences, mask_kind):
    options = {"return_sequences": return_sequences, "return_state": True}
    ours, theirs = pair(layer_name, wrapped={"merge_mode": merge_mode}, **options)
    mask = masks(mask_kind)
    compare(ours(x, mask=mask), theirs(x, mask=mask))
    initial = states(2 * len(ours.forward_layer.state_letters))
    compare(ours(x, mask=mask, initial_state=initial), theirs(x, mask=mask, initial_state=initial))


def test_a_backward_layer_of_ones_own(x):
    ours = layers.Bidirectional(
        layers.LSTM(H, return_sequences=True),
        backward_layer=layers.LSTM(2, activation="relu", return_sequences=True, go_backwards=True),
    )
    theirs = keras.layers.Bidirectional(
        keras.layers.LSTM(H, return_sequences=True),
        backward_layer=keras.layers.LSTM(2, activation="relu", return_sequences=True, go_backwards=True),
    )
    ours(x)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    compare(ours(x), theirs(x))


@pytest.mark.parametrize("layer_name", LAYERS)
@pytest.mark.parametrize("wrapped", [None, {}], ids=["alone", "bidirectional"])
def test_stateful(x, layer_name, wrapped):
    ours, theirs = pair(layer_name, wrapped=wrapped, stateful=True, return_sequences=True)
    mask = masks("holes")
    for batch in (x, 2 * x):
        compare(ours(batch), theirs(batch))
        compare(ours(batch, mask=mask), theirs(batch, mask=mask))
    ours.reset_states()
    for layer in (theirs,) if wrapped is None else (theirs.forward_layer, theirs.backward_layer):
        layer.reset_states()
    compare(ours(x), theirs(x))


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the gradients are asked of PyTorch")
@pytest.mark.parametrize("mask_kind", [None, "left", "holes", "empty rows"])
@pytest.mark.parametrize(
    ("layer_name", "wrapped"),
    [
        *((layer_name, None) for layer_name in LAYERS),
        *(("LSTM", {"merge_mode": mode}) for mode in ("concat", "sum", "mul", "ave")),
        ("GRU", {"merge_mode": "concat"}),
        ("GRU that resets before", {"merge_mode": "mul"}),
    ],
    ids=str,
)
def test_gradients(x, layer_name, wrapped, mask_kind):
    import torch

    ours, theirs = pair(layer_name, wrapped=wrapped, return_sequences=True)
    mask = masks(mask_kind)
    y = ours.forward(x, training=True, mask=mask)
    dy = np.random.default_rng(4).normal(size=y.shape).astype("float32")
    dx = ours.backward(dy)
    given = torch.tensor(x, requires_grad=True)
    (theirs(given, mask=None if mask is None else torch.tensor(mask)) * torch.tensor(dy)).sum().backward()
    compare([dx], [given.grad])
    compare(ours.gradients(), [variable.value.grad for variable in theirs.trainable_variables])


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="the gradients are asked of PyTorch")
@pytest.mark.parametrize("return_sequences", [False, True])
def test_a_gru_in_double_precision(x, return_sequences):
    """Where Keras calls PyTorch's, which computes in it: its own products are those of float32 numbers."""
    import torch

    options = {"return_sequences": return_sequences, "return_state": True, "dtype": "float64"}
    ours, theirs = pair("GRU", **options)
    y, h = ours.forward(x, training=True)
    random = np.random.default_rng(4)
    dy, dh = random.normal(size=y.shape), random.normal(size=h.shape)
    dx = ours.backward(dy, dstate=[dh])
    given = torch.tensor(x.astype("float64"), requires_grad=True)
    outputs = theirs(given)
    torch.autograd.backward(outputs, [torch.tensor(dy), torch.tensor(dh)])
    gradients = [given.grad, *(variable.value.grad for variable in theirs.trainable_variables)]
    for actual, expected in zip([y, h, dx, *ours.gradients()], [*outputs, *gradients], strict=True):
        np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=0, atol=1e-10)


def chain(module):
    """The same layers, ours or Keras'."""
    return [
        module.Embedding(7, 4, mask_zero=True),
        module.Bidirectional(module.LSTM(3, return_sequences=True)),
        module.Dropout(0.5),
        module.TimeDistributed(module.Dense(4, activation="tanh")),
        module.LSTM(3),
        module.RepeatVector(3),
        module.SimpleRNN(4, return_sequences=True),
        module.GRU(3, return_sequences=True),
        module.Bidirectional(module.GRU(2, reset_after=False, return_sequences=True)),
        module.Activation("softsign"),
        module.Flatten(),
        module.Dense(5, activation="softmax"),
    ]


def test_a_model_of_all_layers():
    from numlstm import Sequential

    ids = np.random.default_rng(0).integers(0, 3, (B, T))
    ours, theirs = Sequential(chain(layers)), keras.Sequential(chain(keras.layers))
    theirs.build((B, T))
    ours.build((None, T))
    assert [weight.shape for weight in ours.get_weights()] == [tuple(weight.shape) for weight in theirs.weights]
    assert [type(layer).__name__ for layer in ours.layers] == [type(layer).__name__ for layer in theirs.layers]
    ours.set_weights(theirs.get_weights())
    given = ours.backend.asarray(ids, "int64")
    passes = ours.new_executor([given], training=False).executors
    for run in passes:
        run.forward()
    compare(passes[-1].y, theirs(ids))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_masking(x, value):
    x[0, :2], x[1], x[2, 3] = value, value, value
    ours, theirs = layers.Masking(value), keras.layers.Masking(value)
    compare(ours(x), theirs(x))
    run = ours.new_executor(x, None, None, training=False)
    run.forward()
    np.testing.assert_array_equal(run.mask, keras.ops.convert_to_numpy(theirs.compute_mask(x)))


@pytest.mark.parametrize(
    "activation", ["relu", "elu", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "softmax"]
)
def test_activation(x, activation):
    compare(layers.Activation(activation)(10 * x), keras.layers.Activation(activation)(10 * x))
    compare(layers.Activation(activation)(x[:, 0]), keras.layers.Activation(activation)(x[:, 0]))


SEQUENCES = [[1], [2, 3], [], [4, 5, 6, 7]]


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 6])
def test_pad_sequences(padding, truncating, maxlen):
    options = {"padding": padding, "truncating": truncating, "maxlen": maxlen, "value": 9}
    for dtype in ("int32", "float32"):
        ours = utils.pad_sequences(SEQUENCES, dtype=dtype, **options)
        np.testing.assert_array_equal(ours, keras.utils.pad_sequences(SEQUENCES, dtype=dtype, **options), strict=True)
    vectors = [np.ones((n, 2)) * n for n in (3, 1, 2)]
    np.testing.assert_array_equal(
        utils.pad_sequences(vectors, **options), keras.utils.pad_sequences(vectors, **options), strict=True
    )


@pytest.mark.parametrize("labels", [[0, 2, 1], [[0], [3]], [[1, 2], [0, 1]]], ids=str)
@pytest.mark.parametrize("count", [None, 5])
def test_to_categorical(labels, count):
    np.testing.assert_array_equal(
        utils.to_categorical(labels, count), keras.utils.to_categorical(labels, count), strict=True
    )


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((B, F), {}),
        ((B, T, F), {}),
        ((B, T, F), {"axis": [2], "epsilon": 0.1, "center": False}),
        ((B, T, F), {"axis": [-2, -1]}),
        ((B, T, F), {"axis": (1, 2), "scale": False}),
        ((B, T, F), {"center": False, "scale": False}),
    ],
    ids=str,
)
def test_layer_normalization(shape, options):
    random = np.random.default_rng(0)
    x = (3 + 2 * random.normal(size=shape)).astype("float32")
    ours, theirs = (package.LayerNormalization(**options) for package in (layers, keras.layers))
    ours.build(shape)
    theirs.build(shape)
    weights = [random.normal(size=weight.shape) for weight in theirs.get_weights()]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    compare(ours(x), theirs(x))
