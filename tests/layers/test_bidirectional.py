"""Both directions in one call are, to the bit, two layers."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from numlstm import Sequential
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, SimpleRNN

SIZES = [(1, 10, 1, 50), (3, 7, 2, 5), (32, 5, 3, 17), (1, 4, 40, 130)]
LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]
OPTIONS = [
    {},
    {"return_sequences": True},
    {"activation": "relu", "use_bias": False},
    {"dropout": 0.3, "seed": 4, "return_sequences": True},
    {"recurrent_dropout": 0.3, "seed": 4},
]


def both_and_each(layer_class, features, **options):
    """A bidirectional layer, and the two that are in it as layers of their own with the same weights."""
    both = Bidirectional(layer_class(**options), input_shape=(None, features))
    both.build((None, None, features))
    each = []
    for wrapped in (both.forward_layer, both.backward_layer):
        layer = type(wrapped)(**wrapped.get_config())
        layer.first_stream = wrapped.first_stream
        layer.build((None, None, features), wrapped.get_weights())
        each.append(layer)
    return both, each


def outputs_side_by_side(outputs, return_sequences):
    first, second = outputs
    return np.concatenate((first, second[:, ::-1] if return_sequences else second), axis=-1)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_bits_are_those_of_two_layers(layer_class, size, options, masked):
    B, T, F, H = size
    random = np.random.default_rng(1)
    both, each = both_and_each(layer_class, F, units=H, **options)
    x = random.normal(size=(B, T, F)).astype("float32")
    mask = random.random((B, T)) < 0.7 if masked else None
    in_order = options.get("return_sequences", False)
    for _ in range(2):
        y = both.forward(x, training=True, mask=mask)
        outputs = [layer.forward(x, training=True, mask=mask) for layer in each]
        np.testing.assert_array_equal(y, outputs_side_by_side(outputs, in_order))
        dy = random.normal(size=y.shape).astype("float32")
        dx = both.backward(dy)
        first, second = (np.ascontiguousarray(half) for half in (dy[..., :H], dy[..., H:]))
        parts = [each[0].backward(first), each[1].backward(second[:, ::-1] if in_order else second)]
        np.testing.assert_array_equal(dx, parts[0] + parts[1])
        theirs = each[0].gradients() + each[1].gradients()
        for ours, expected in zip(both.gradients(), theirs, strict=True):
            np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(both(x, mask=mask), outputs_side_by_side([m(x, mask=mask) for m in each], in_order))


@pytest.mark.parametrize("layer_class", LAYERS)
def test_a_state_goes_in_and_out_in_both_directions(layer_class):
    both, each = both_and_each(layer_class, 2, units=5, return_state=True, stateful=True)
    random, parts = np.random.default_rng(2), len(each[0].state_letters)
    for number in range(3):
        x = random.normal(size=(3, 4, 2))
        state = list(random.normal(size=(2 * parts, 3, 5))) if number == 1 else None
        y, *states = both(x, initial_state=state)
        (first, *forwards), (second, *backwards) = (
            layer(x, initial_state=None if state is None else state[parts * place : parts * (place + 1)])
            for place, layer in enumerate(each)
        )
        np.testing.assert_array_equal(y, np.concatenate((first, second), axis=-1))
        for ours, expected in zip(states, forwards + backwards, strict=True):
            np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("shape", [(2, 0, 3), (0, 4, 3)])
def test_nothing_to_read_gives_nothing(shape, layer_class):
    layer = Bidirectional(layer_class(5), input_shape=(None, 3))
    layer.build((None, None, 3))
    y = layer.forward(np.zeros(shape), training=True)
    assert y.shape == (shape[0], 10)
    assert not y.any()
    assert layer.backward(np.ones_like(y)).shape == shape
    assert not any(gradient.any() for gradient in layer.gradients())


@pytest.mark.parametrize(
    ("layer", "together"),
    [
        (Bidirectional(LSTM(64)), True),
        (Bidirectional(LSTM(64), backward_layer=LSTM(64, go_backwards=True, use_bias=False)), True),
        (Bidirectional(LSTM(64), backward_layer=LSTM(48, go_backwards=True)), False),
        (Bidirectional(LSTM(64), backward_layer=LSTM(64, "relu", go_backwards=True)), False),
        (Bidirectional(LSTM(64), backward_layer=SimpleRNN(64, go_backwards=True)), False),
        (Bidirectional(SimpleRNN(64)), True),
        (Bidirectional(GRU(64)), True),
        (Bidirectional(GRU(64), backward_layer=GRU(64, go_backwards=True, reset_after=False)), False),
    ],
    ids=["LSTM", "one bias", "units", "activation", "cell", "SimpleRNN", "GRU", "reset"],
)
def test_only_cells_of_one_kind_run_together(layer, together):
    numba = pytest.importorskip("numba")
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here")
    model = Sequential([layer, Dense(1)])
    model.build((None, 90, 8))
    model.compile("sgd", "mse", device="cpu")
    model.train_on_batch(np.zeros((4, 90, 8)), np.zeros((4, 1)))
    assert model.kernel_name.startswith("both directions") == together
