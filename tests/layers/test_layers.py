"""Layers by themselves, as users call them: batch-major NumPy arrays in and out."""

from __future__ import annotations

import numpy as np
import pytest
import reference_recurrence

from numlstm import Sequential, initializers
from numlstm.layers import LSTM, Dense, RepeatVector

B, T, F, H = 5, 7, 3, 17


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


@pytest.fixture
def state():
    return list(np.random.default_rng(1).normal(size=(2, B, H)).astype("float32"))


def oracle(layer, x, mask=None, state=None):
    """The oracle's trace for a layer's weights, with batch-major input."""
    weights = [*layer.get_weights(), None][:3]
    time_major = np.asarray(x).swapaxes(0, 1)
    options = reference_recurrence.Options(None if mask is None else mask.T, state)
    return reference_recurrence.forward("lstm", *weights, time_major, options)


# What comes out


def test_call_builds_and_agrees_with_the_oracle(x, dtype, assert_close):
    layer = LSTM(H, return_sequences=True, dtype=dtype)
    assert not layer.built
    y = layer(x)
    assert layer.built
    assert_close(y, oracle(layer, x).y.swapaxes(0, 1), dtype, (F + H + 1) * T)


def test_last_output_only(x, assert_close):
    layer = LSTM(H)
    assert_close(layer(x), oracle(layer, x).y[-1], "float32", (F + H + 1) * T)


@pytest.mark.parametrize("return_sequences", [False, True])
def test_return_state_with_an_initial_state_and_a_mask(x, state, return_sequences, assert_close):
    layer = LSTM(H, return_sequences=return_sequences, return_state=True)
    mask = np.random.default_rng(2).random((B, T)) < 0.5
    outputs = layer(x, initial_state=state, mask=mask)
    assert isinstance(outputs, list)
    trace = oracle(layer, x, mask, state)
    expected = trace.y.swapaxes(0, 1) if return_sequences else trace.y[-1], *trace.final
    for actual, wanted in zip(outputs, expected, strict=True):
        assert_close(actual, wanted, "float32", (F + H + 1) * T)


def test_go_backwards_reads_from_the_end_and_answers_in_that_order(x):
    options = {"return_sequences": True, "return_state": True}
    backwards, forwards = LSTM(H, go_backwards=True, **options), LSTM(H, **options)
    mask = np.random.default_rng(2).random((B, T)) < 0.5
    actual = backwards(x, mask=mask)
    forwards.build(x.shape)
    forwards.set_weights(backwards.get_weights())
    for a, b in zip(actual, forwards(x[:, ::-1], mask=mask[:, ::-1]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_before_the_first_valid_step_the_output_is_zero_and_not_the_initial_state(x, state):
    layer = LSTM(H, return_sequences=True, return_state=True)
    mask = np.ones((B, T), bool)
    mask[0, :3] = False
    mask[1] = False
    y, h, c = layer(x, mask=mask, initial_state=state)
    assert (y[0, :3] == 0).all()
    assert (y[0, 3:] != 0).all()
    assert (y[1] == 0).all()
    np.testing.assert_array_equal(h[1], state[0][1])
    np.testing.assert_array_equal(c[1], state[1][1])


def test_no_initial_state_is_a_zero_state(x):
    layer = LSTM(H)
    zeros = np.zeros((B, H), "float32")
    np.testing.assert_array_equal(layer(x), layer(x, initial_state=[zeros, zeros]))


def test_a_mask_of_true_is_no_mask(x):
    layer = LSTM(H, return_sequences=True)
    np.testing.assert_array_equal(layer(x), layer(x, mask=np.ones((B, T), bool)))


@pytest.mark.parametrize("form", ["float64", "int64", "bool", "fortran", "strided", "read-only", "list"])
def test_inputs_of_any_form(form):
    values = np.random.default_rng(0).integers(0, 2, (B, T, F)).astype("float32")
    wide = np.repeat(values, 2, axis=2)
    frozen = values.copy()
    frozen.flags.writeable = False
    given = {
        "fortran": np.asfortranarray(values),
        "strided": wide[:, :, ::2],
        "read-only": frozen,
        "list": values.tolist(),
    }.get(form)
    if given is None:
        given = values.astype(form)
    layer = LSTM(H)
    np.testing.assert_array_equal(layer(given), layer(values))


def test_float64_is_computed_in_float64(x):
    layer = LSTM(H, dtype="float64")
    y = layer(x)
    assert y.dtype == "float64"
    assert all(w.dtype == "float64" for w in layer.get_weights())
    error = np.abs(y - oracle(layer, x).y[-1]).max()
    assert error < 1e-14


def test_nan_stays_in_its_row(x):
    layer = LSTM(H, return_sequences=True)
    clean = layer(x)
    x[2, 3, 1] = np.nan
    dirty = layer(x)
    others = np.arange(B) != 2
    np.testing.assert_array_equal(dirty[others], clean[others])
    np.testing.assert_array_equal(dirty[2, :3], clean[2, :3])
    assert np.isnan(dirty[2, 3:]).all()


@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_a_masked_step_may_hold_anything(x, junk):
    layer = LSTM(H, return_sequences=True)
    mask = np.random.default_rng(2).random((B, T)) < 0.5
    results = []
    for filler in (0, junk):
        x[~mask] = filler
        y = layer.forward(x, training=True, mask=mask)
        results.append([y, layer.backward(np.ones_like(y)), *layer.gradients()])
    for clean, dirty in zip(*results, strict=True):
        np.testing.assert_array_equal(clean, dirty)
    assert (results[1][1][~mask] == 0).all()


def test_huge_inputs_with_default_weights(dtype):
    signs = np.sign(np.random.default_rng(0).normal(size=(B, T, F)))
    for scale in (1e10, 1e30, 1e37):
        layer = LSTM(H, return_sequences=True, dtype=dtype)
        y = layer.forward(signs * scale, training=True)
        assert (np.abs(y) <= 1).all()
        layer.backward(np.ones_like(y))
        assert all(np.isfinite(g).all() for g in layer.gradients())


# Nothing is written that is not announced


def test_a_call_writes_nothing_to_the_layer(x, state):
    layer = LSTM(H, return_sequences=True, return_state=True)
    layer.build(x.shape)
    y, h, c = layer.forward(x, training=True)
    before = dict(vars(layer))
    layer(x[:2] * 2, mask=np.zeros((2, T), bool), initial_state=[s[:2] for s in state])
    layer.forward(x[:3])
    after = vars(layer)
    assert before.keys() == after.keys()
    assert all(after[name] is value for name, value in before.items())
    # The pass in training goes on as if nothing had come between.
    dx = layer.backward(y, dstate=[h, c])
    layer.forward(x, training=True)
    np.testing.assert_array_equal(layer.backward(y, dstate=[h, c]), dx)


def test_arguments_and_results_are_left_alone(x, state):
    layer = LSTM(H, return_sequences=True, return_state=True)
    mask = np.random.default_rng(2).random((B, T)) < 0.5
    given = x.copy(), mask.copy(), state[0].copy(), state[1].copy()
    y, h, c = layer.forward(x, training=True, mask=mask, initial_state=state)
    kept = y.copy(), h.copy(), c.copy()
    dy, dh, dc = (np.ones_like(a) for a in (y, h, c))
    dx = layer.backward(dy, dstate=[dh, dc])
    kept_dx = dx.copy()
    for a, b in zip((x, mask, *state), given, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all((a == 1).all() for a in (dy, dh, dc))
    # Another pass has other numbers, and arrays of its own.
    layer.forward(x + 1, training=True)
    layer.backward(2 * dy)
    for a, b in zip((y, h, c, dx), (*kept, kept_dx), strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_belong_to_the_last_backward_alone(x):
    layer = LSTM(H)
    dy = np.random.default_rng(3).normal(size=(B, H))
    layer.forward(x, training=True)
    layer.backward(dy)
    first = layer.gradients()
    layer.forward(x, training=True)
    layer.backward(dy)
    for a, b in zip(first, layer.gradients(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_get_weights_are_copies(x):
    layer = LSTM(H)
    y = layer(x)
    for weight in layer.get_weights():
        weight[...] = 9
    np.testing.assert_array_equal(layer(x), y)


# Weights


def test_weights_in_keras_order_and_shapes(x):
    layer = LSTM(H)
    layer(x)
    assert [w.shape for w in layer.get_weights()] == [(F, 4 * H), (H, 4 * H), (4 * H,)]
    assert layer.count_params() == 4 * H * (F + H + 1)
    dense = Dense(2)
    dense(x)
    assert [w.shape for w in dense.get_weights()] == [(F, 2), (2,)]
    without = LSTM(H, use_bias=False)
    without(x)
    assert len(without.get_weights()) == 2


def test_set_weights_takes_effect_at_once(x, assert_close):
    layer = LSTM(H)
    layer(x)
    layer.set_weights([w + 0.1 for w in layer.get_weights()])
    assert_close(layer(x), oracle(layer, x).y[-1], "float32", (F + H + 1) * T)


@pytest.mark.parametrize("initializer", ["zeros", "ones", "random_normal", initializers.Constant(3.0)])
def test_unit_forget_bias_whatever_the_initializer(x, initializer):
    biases = {}
    for unit_forget_bias in (True, False):
        layer = LSTM(H, bias_initializer=initializer, unit_forget_bias=unit_forget_bias)
        layer.build(x.shape)
        biases[unit_forget_bias] = layer.get_weights()[2]
    assert (biases[True][H : 2 * H] == 1).all()
    if initializer != "random_normal":
        expected = biases[False].copy()
        expected[H : 2 * H] = 1
        np.testing.assert_array_equal(biases[True], expected)
        assert np.unique(biases[False]).size == 1
    else:
        assert (biases[True][:H] != 1).all()
        assert (biases[False] != 1).all()


def test_default_initializers_are_keras(x):
    layer = LSTM(H)
    layer.build((None, T, F))
    kernel, recurrent_kernel, bias = layer.get_weights()
    limit = np.sqrt(6 / (F + 4 * H))
    assert limit * 0.9 < np.abs(kernel).max() <= limit
    np.testing.assert_allclose(recurrent_kernel @ recurrent_kernel.T, np.eye(H), atol=1e-5)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], H))


# Empty batches and sequences


@pytest.mark.parametrize("return_sequences", [False, True])
def test_an_empty_batch(return_sequences):
    layer = LSTM(H, return_sequences=return_sequences, return_state=True)
    y, h, c = layer.forward(np.zeros((0, T, F)), training=True)
    assert y.shape == ((0, T, H) if return_sequences else (0, H))
    assert h.shape == c.shape == (0, H)
    assert layer.backward(y).shape == (0, T, F)
    assert all((g == 0).all() for g in layer.gradients())


@pytest.mark.parametrize("return_sequences", [False, True])
def test_no_steps(state, return_sequences):
    layer = LSTM(H, return_sequences=return_sequences, return_state=True)
    y, h, c = layer.forward(np.zeros((B, 0, F)), training=True, initial_state=state)
    np.testing.assert_array_equal(y, np.zeros((B, 0, H) if return_sequences else (B, H)))
    np.testing.assert_array_equal(h, state[0])
    np.testing.assert_array_equal(c, state[1])
    assert layer.backward(y, dstate=state).shape == (B, 0, F)
    assert all((g == 0).all() for g in layer.gradients())
    for gradient, wanted in zip(layer.initial_state_gradients(), state, strict=True):
        np.testing.assert_array_equal(gradient, wanted)


# Dense


@pytest.mark.parametrize("shape", [(5, 3), (5, 7, 3), (0, 3), (1, 1, 3)], ids=str)
def test_dense_works_on_the_last_axis(shape, dtype, assert_close):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    layer = Dense(2, bias_initializer="random_normal", dtype=dtype)
    y = layer.forward(x, training=True)
    kernel, bias = layer.get_weights()
    assert_close(y, (x @ kernel.astype("float64") + bias), dtype, 4)
    assert_close(layer.backward(y), y @ kernel.T.astype("float64"), dtype, 2)
    dK, db = layer.gradients()
    rows, dy = x.reshape(-1, 3).astype("float64"), y.reshape(-1, 2).astype("float64")
    assert_close(dK, rows.T @ dy, dtype, 35)
    assert_close(db, dy.sum(axis=0), dtype, 35)


# Arguments that change after the layer is made


def test_return_sequences_takes_effect_after_a_call(x):
    layer = LSTM(H)
    last = layer.forward(x, training=True)
    layer.return_sequences = True
    whole = layer.forward(x, training=True)
    np.testing.assert_array_equal(whole[:, -1], last)
    np.testing.assert_array_equal(layer(x), whole)
    layer.backward(np.ones_like(whole))


def test_an_activation_that_is_set_to_none_is_linear(x):
    layer = Dense(2, "relu", use_bias=False)
    layer(x)
    layer.activation = None
    np.testing.assert_array_equal(layer.activation, "linear")
    assert (layer(x) < 0).any()


def test_a_changed_layer_of_a_model_is_used(x):
    model = Sequential([LSTM(H, input_shape=(T, F)), Dense(2, "relu")])
    model.compile("sgd", "mse")
    model.train_on_batch(x, np.zeros((B, 2)))
    stream = model.stream(B)
    model.layers[0].activation, model.layers[1].activation = "relu", "linear"
    twin = Sequential([LSTM(H, "relu", input_shape=(T, F)), Dense(2)])
    twin.set_weights(model.get_weights())
    expected = twin.predict(x)
    np.testing.assert_array_equal(model.predict(x), expected)
    assert model.test_on_batch(x, expected) == 0.0
    for step in x.swapaxes(0, 1):
        y = stream.push(step)
    np.testing.assert_array_equal(y, expected)


def test_dropout_that_is_set_later_draws_a_seed(x):
    layer = LSTM(H)
    layer.dropout = 0.5
    assert isinstance(layer.seed, int)
    assert (layer.forward(x, training=True) != layer(x)).any()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("units", 5, "units of layer 'one' decides its weights, which exist"),
        ("use_bias", False, "use_bias of layer 'one' decides its weights"),
        ("activation", "nonsense", "activation must be one of"),
        ("return_sequences", True, "layer 'two' takes"),
    ],
)
def test_a_change_that_does_not_fit_changes_nothing(x, name, value, message):
    model = Sequential([LSTM(H, input_shape=(T, F), name="one"), RepeatVector(2, name="two")])
    before, y = model.layers[0].get_config(), model.predict(x)
    with pytest.raises(ValueError, match=f"^{message}"):
        setattr(model.layers[0], name, value)
    assert model.layers[0].get_config() == before
    np.testing.assert_array_equal(model.predict(x), y)
