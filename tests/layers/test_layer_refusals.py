"""What layers refuse: in one sentence that names what was given, before any kernel runs."""

from __future__ import annotations

import numpy as np
import pytest

from numlstm import Sequential
from numlstm.layers import LSTM, Activation, Dense, Flatten, Input

B, T, F, H = 5, 7, 3, 17


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


def refused(error, *words):
    """The error, with a message that holds all words, in any order."""
    pattern = "".join(f"(?=.*{word})" for word in words)
    return pytest.raises(error, match=pattern)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"units": 0}, ValueError, ["units", "0"]),
        ({"units": -3}, ValueError, ["units", "-3"]),
        ({"units": 2.5}, TypeError, ["units", "2.5"]),
        ({"units": "five"}, TypeError, ["units", "five"]),
        ({"units": 3, "dtype": "float16"}, ValueError, ["dtype", "float16"]),
        ({"units": 3, "dtype": "nonsense"}, ValueError, ["dtype", "nonsense"]),
        ({"units": 3, "dtype": {"class_name": "DTypePolicy"}}, ValueError, ["dtype", "float32", "DTypePolicy"]),
        ({"units": 3, "activation": "selu"}, ValueError, ["activation", "selu"]),
        ({"units": 3, "recurrent_activation": "softmax"}, ValueError, ["recurrent_activation", "softmax"]),
        ({"units": 3, "kernel_initializer": "glorot"}, ValueError, ["kernel_initializer", "glorot"]),
        ({"units": 3, "recurrent_initializer": "glorot"}, ValueError, ["recurrent_initializer", "glorot"]),
        ({"units": 3, "bias_regularizer": "l3"}, ValueError, ["bias_regularizer", "l3"]),
        ({"units": 3, "dropout": 1.5}, ValueError, ["dropout", "1.5"]),
        ({"units": 3, "use_bias": "yes"}, TypeError, ["use_bias", "yes"]),
        ({"units": 3, "return_sequence": True}, TypeError, ["return_sequence", "did you mean return_sequences"]),
        ({"units": 3, "nonsense": True}, TypeError, ["LSTM takes no argument 'nonsense'$"]),
        ({"units": 3, "input_dim": 4, "input_length": 12}, ValueError, [r"give input_shape=\(12, 4\)"]),
        ({"units": 3, "input_dim": 4}, ValueError, [r"give input_shape=\(None, 4\), or \(4,\)"]),
        ({"units": 3, "input_length": 12}, ValueError, [r"give input_shape=\(12, features\)"]),
    ],
    ids=str,
)
def test_wrong_arguments(arguments, error, words):
    with refused(error, *words):
        LSTM(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": np.zeros((B, F))}, ValueError, [r"\(5, 3\)"]),
        ({"x": np.zeros((B, T, F, 1))}, ValueError, [r"\(5, 7, 3, 1\)"]),
        ({"x": np.zeros((B, T, F + 1))}, ValueError, ["3", r"\(5, 7, 4\)"]),
        ({"x": np.zeros((B, T, F), complex)}, TypeError, ["complex"]),
        ({"x": np.full((B, T, F), "a")}, TypeError, ["real numbers"]),
        ({"x": np.full((B, T, F), None)}, TypeError, ["object"]),
        ({"mask": np.ones((B, T + 1), bool)}, ValueError, ["mask", r"\(5, 7\)", r"\(5, 8\)"]),
        ({"mask": np.ones((T, B), bool)}, ValueError, ["mask", r"\(5, 7\)", r"\(7, 5\)"]),
        ({"mask": np.ones((B, T))}, TypeError, ["mask", "float64"]),
        ({"initial_state": np.zeros((B, H))}, ValueError, ["initial_state"]),
        ({"initial_state": [np.zeros((B, H))]}, ValueError, ["initial_state"]),
        ({"initial_state": [np.zeros((B, H)), np.zeros((B, H + 1))]}, ValueError, [r"\(5, 17\)", r"\(5, 18\)"]),
        ({"initial_state": [np.zeros((B + 1, H)), np.zeros((B, H))]}, ValueError, [r"\(5, 17\)", r"\(6, 17\)"]),
        ({"initial_state": [np.zeros((B, H), complex)] * 2}, TypeError, ["initial_state", "complex"]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
@pytest.mark.parametrize("training", [False, True])
def test_wrong_input(arguments, error, words, training, x):
    layer = LSTM(H)
    layer.build((None, None, F))
    with refused(error, *words):
        layer.forward(**{"x": x, "training": training, **arguments})


@pytest.mark.parametrize("make", [lambda: LSTM(H), lambda: Dense(H), Flatten, lambda: Activation("relu")])
@pytest.mark.parametrize(
    ("shape", "error", "words"),
    [
        ((None, T, -4), ValueError, ["input_shape", "-4"]),
        ((None, T, 2.5), TypeError, ["input_shape", "2.5"]),
        (3, TypeError, ["input_shape", "tuple", "3"]),
        ("abc", TypeError, ["input_shape", "tuple", "abc"]),
        (None, TypeError, ["input_shape", "tuple", "None"]),
    ],
    ids=str,
)
def test_wrong_shapes_to_build_for(make, shape, error, words):
    layer = make()
    with refused(error, *words):
        layer.build(shape)
    layer.build([None, T, F])
    assert layer.input_shape == (None, T, F)


@pytest.mark.parametrize("made", [None, 0.0, np.zeros(3), np.zeros((4 * H, 1))], ids=str)
def test_an_initializer_of_ones_own_that_makes_no_bias(made, x):
    with refused((ValueError, TypeError), "lstm/bias"):
        LSTM(H, bias_initializer=lambda shape: made, name="lstm")(x)


def test_flatten_needs_a_batch():
    with refused(ValueError, "flatten", "batch", r"\(\)"):
        Flatten()(3.0)


@pytest.mark.parametrize(
    "make",
    [lambda: LSTM(H, dropout=0.5), lambda: Dense(H), lambda: Sequential([Dense(H, name="d")])],
    ids=["LSTM", "Dense", "Sequential"],
)
def test_a_call_is_for_inference(make, x):
    made = make()
    y = made(x)
    np.testing.assert_array_equal(made(x, training=False), y)
    np.testing.assert_array_equal(made(x, training=None), y)
    with refused(ValueError, "infers", r"(forward\(x, training=True\)|train_on_batch)"):
        made(x, training=True)


def test_a_symbol_holds_no_numbers():
    for use in (np.asarray, list, bool, Sequential([LSTM(H, input_shape=(T, F))]).predict):
        with refused(TypeError, "Input"):
            use(Input((T, F)))


def test_wrong_dy(x):
    layer = LSTM(H, return_sequences=True)
    layer.forward(x, training=True)
    with refused(ValueError, "dy", r"\(5, 7, 17\)", r"\(5, 17\)"):
        layer.backward(np.zeros((B, H)))
    with refused(ValueError, "dstate", r"\(5, 17\)", r"\(5, 16\)"):
        layer.backward(np.zeros((B, T, H)), dstate=[np.zeros((B, H)), np.zeros((B, 16))])
    # A refused call has used nothing up.
    assert layer.backward(np.zeros((B, T, H))).shape == x.shape


@pytest.mark.parametrize("make", [lambda: LSTM(H), lambda: Dense(H)], ids=["LSTM", "Dense"])
def test_backward_needs_a_forward_of_its_own(make, x):
    layer = make()
    dy = layer(x)
    with refused(ValueError, "forward"):
        layer.backward(dy)
    layer.forward(x)
    with refused(ValueError, "forward"):
        layer.backward(dy)
    layer.forward(x, training=True)
    layer.backward(dy)
    with refused(ValueError, "forward"):
        layer.backward(dy)


def test_initial_state_gradients_need_an_initial_state(x):
    layer = LSTM(H)
    layer.backward(layer.forward(x, training=True))
    with refused(ValueError, "initial state"):
        layer.initial_state_gradients()


def test_weights_that_do_not_fit(x):
    layer = LSTM(H)
    y = layer(x)
    weights = layer.get_weights()
    with refused(ValueError, "2", "3"):
        layer.set_weights(weights[:2])
    with refused(ValueError, r"\(4, 68\)", r"\(3, 68\)"):
        layer.set_weights([np.zeros((F + 1, 4 * H)), *weights[1:]])
    with refused(TypeError, "complex"):
        layer.set_weights([weights[0].astype(complex), *weights[1:]])
    np.testing.assert_array_equal(layer(x), y)


def test_no_weights_before_the_layer_is_built():
    with refused(ValueError, "lstm", "built?"):
        LSTM(H).get_weights()


def test_a_layer_cannot_be_frozen():
    layer = LSTM(H, name="first")
    layer.trainable = True
    with refused(ValueError, "first", "False", "all layers of a model are trained"):
        layer.trainable = False
