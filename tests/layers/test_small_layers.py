"""Dropout, Embedding, and the layers without weights; dropout inside recurrent layers; what they keep for a reader."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm
from numlstm import Sequential
from numlstm.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    RepeatVector,
    SimpleRNN,
    TimeDistributed,
)

B, T, F, H = 5, 7, 3, 6


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(H),
        lambda: LSTM(H, return_sequences=True),
        lambda: GRU(H, return_sequences=True),
        lambda: GRU(H, reset_after=False),
        lambda: Bidirectional(SimpleRNN(H, return_sequences=True)),
        lambda: TimeDistributed(Dense(H)),
        lambda: Activation("tanh"),
        lambda: Dropout(0.5),
        Flatten,
    ],
)
def test_what_a_pass_gave_stays_as_it_was(make, x):
    layer, given = make(), []
    for scale in (1.0, 2.0):
        y = layer.forward(scale * x, training=True)
        dx = layer.backward(scale * np.ones_like(y))
        given.append((y, y.copy(), dx, dx.copy(), layer(scale * x), layer(scale * x).copy()))
    for y, y_then, dx, dx_then, inferred, inferred_then in given:
        np.testing.assert_array_equal(y, y_then)
        np.testing.assert_array_equal(dx, dx_then)
        np.testing.assert_array_equal(inferred, inferred_then)


# Dropout


def test_dropout_drops_in_training_only(x):
    layer = Dropout(0.4, seed=1)
    np.testing.assert_array_equal(layer(x), x)
    assert not np.may_share_memory(layer(x), x)
    y = layer.forward(x, training=True)
    dropped = y == 0
    assert 0.2 < dropped.mean() < 0.6
    np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.6, rtol=1e-6)
    dx = layer.backward(np.ones_like(y))
    np.testing.assert_array_equal(dx == 0, dropped)
    np.testing.assert_allclose(dx[~dropped], 1 / 0.6, rtol=1e-6)


def test_every_pass_drops_anew_and_a_seed_repeats_all(x):
    first, second = Dropout(0.5, seed=3), Dropout(0.5, seed=3)
    draws = [first.forward(x, training=True) for _ in range(3)]
    assert (draws[0] != draws[1]).any()
    for draw in draws:
        np.testing.assert_array_equal(second.forward(x, training=True), draw)
    second.random.step = 1
    np.testing.assert_array_equal(second.forward(x, training=True), draws[1])
    assert (Dropout(0.5, seed=4).forward(x, training=True) != draws[0]).any()


def test_set_seed_decides_seeds_that_are_not_given():
    seeds = []
    for _ in range(2):
        numlstm.set_seed(7)
        seeds.append([Dropout(0.5).seed, LSTM(3, dropout=0.1).seed, Dropout(0.5).seed])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    assert LSTM(3).seed is None


@pytest.mark.parametrize(
    ("noise_shape", "shared"),
    [((None, 1, None), 1), ((B, T, 1), 2), ((1, None, F), 0), ((None, 1, 1), (1, 2))],
    ids=str,
)
def test_noise_shape(x, noise_shape, shared):
    y = Dropout(0.5, noise_shape, seed=2).forward(np.ones_like(x), training=True)
    np.testing.assert_array_equal(y, np.broadcast_to(y.max(axis=shared, keepdims=True), y.shape))
    assert 0 < (y == 0).mean() < 1


# Dropout inside recurrent layers


@pytest.mark.parametrize("layer_class", [LSTM, SimpleRNN, GRU])
def test_dropout_of_the_input_is_fixed_over_time(x, layer_class):
    layer = layer_class(H, dropout=0.5, seed=5, return_sequences=True)
    y = layer.forward(x, training=True)
    m = Dropout(0.5, (None, 1, None), seed=5).forward(np.ones_like(x), training=True)
    plain = layer_class(H, return_sequences=True)
    plain.build(x.shape, layer.get_weights())
    np.testing.assert_array_equal(plain.forward(x * m, training=True), y)
    dy = np.random.default_rng(1).normal(size=y.shape).astype("float32")
    np.testing.assert_array_equal(layer.backward(dy), plain.backward(dy) * m)
    np.testing.assert_array_equal(layer(x), plain(x))


@pytest.mark.parametrize("layer_class", [LSTM, SimpleRNN, GRU])
def test_recurrent_dropout_takes_other_numbers_in_every_pass_and_row(x, layer_class):
    layer = layer_class(40, recurrent_dropout=0.5, seed=5, return_sequences=True)
    rows = np.repeat(x[:1], B, axis=0)
    first, second = layer.forward(rows, training=True), layer.forward(rows, training=True)
    # The first step has no h' to drop.
    np.testing.assert_array_equal(first[:, 0], np.repeat(first[:1, 0], B, axis=0))
    assert (first[1:, 1:] != first[:1, 1:]).any(axis=(1, 2)).all()
    assert (first[:, 1:] != second[:, 1:]).any()
    assert layer.kernel_name.endswith(", with options")


def test_the_directions_drop_different_things(x):
    layer = Bidirectional(LSTM(H, dropout=0.5, seed=5, return_sequences=True), merge_mode=None)
    layer.build(x.shape)
    layer.set_weights(2 * layer.get_weights()[:3])
    _, backwards = layer.forward(x, training=True)
    mirrored = LSTM(H, dropout=0.5, seed=5, return_sequences=True, go_backwards=True)
    mirrored.build(x.shape, layer.get_weights()[:3])
    assert (mirrored.forward(x, training=True)[:, ::-1] != backwards).any()


# Embedding


def test_embedding_looks_up_and_learns_rows():
    ids = np.array([[0, 3, 3], [1, 0, 3]])
    layer = Embedding(5, H)
    y = layer.forward(ids, training=True)
    (table,) = layer.get_weights()
    assert np.abs(table).max() <= 0.05
    np.testing.assert_array_equal(y, table[ids])
    assert layer.backward(np.ones_like(y)) is None
    (gradient,) = layer.gradients()
    np.testing.assert_array_equal(gradient, np.array([2, 1, 0, 3, 0], "float32")[:, None] * np.ones(H, "float32"))
    np.testing.assert_array_equal(layer(ids.astype("float32")), table[ids])


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([[0, 5]], ValueError, "holds 5, but the ids of layer 'words' are 0 to 4"),
        ([[0, -1]], ValueError, "holds -1"),
        ([[0, 5.5]], ValueError, r"holds 5\.5"),
        ([[0, -1.0]], ValueError, r"holds -1\.0"),
        ([[0, np.nan]], ValueError, "holds nan"),
        ([["a", "b"]], TypeError, "expected ids"),
        (3, ValueError, r"\(batch, time\), not \(\)"),
    ],
    ids=str,
)
def test_wrong_ids(ids, error, message):
    with pytest.raises(error, match=message):
        Embedding(5, 2, name="words")(ids)


def test_the_fractions_of_ids_are_dropped():
    layer = Embedding(5, 2)
    np.testing.assert_array_equal(layer([[4.8, -0.2]]), layer([[4, 0]]))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4)])
def test_ids_of_any_rank(shape):
    ids = np.arange(np.prod(shape)).reshape(shape) % 5
    model = Sequential([Embedding(5, 2), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(ids, np.ones(len(ids)), verbose=0)
    layer = model.layers[0]
    np.testing.assert_array_equal(layer(ids), layer.get_weights()[0][ids])
    with pytest.raises(ValueError, match=r"takes ids of shape \(batch, time\), not"):
        Embedding(5, 2, mask_zero=True)(ids)


# Layers without weights


def test_flatten_and_repeat(x):
    flat = Flatten()
    y = flat.forward(x, training=True)
    np.testing.assert_array_equal(y, x.reshape(B, T * F))
    np.testing.assert_array_equal(flat.backward(y), x)
    repeat = RepeatVector(4)
    y = repeat.forward(x[:, 0], training=True)
    np.testing.assert_array_equal(y, np.repeat(x[:, :1], 4, axis=1))
    np.testing.assert_array_equal(repeat.backward(np.ones_like(y)), np.full((B, F), 4))


@pytest.mark.parametrize("shape", [(0, T, F), (B, 0, F)], ids=str)
def test_nothing_in_nothing_out(shape):
    x = np.zeros(shape)
    made = [
        (Dropout(0.5), F), (Activation("tanh"), F), (Activation("softmax"), F), (TimeDistributed(Dense(2)), 2),
        (Bidirectional(LSTM(2, return_sequences=True)), 4),
        (Bidirectional(GRU(2, return_sequences=True)), 4),
        (Bidirectional(SimpleRNN(2, return_sequences=True), merge_mode="ave"), 2),
    ]  # fmt: skip
    for layer, width in made:
        y = layer.forward(x, training=True)
        assert y.shape == (*shape[:2], width)
        assert layer.backward(y).shape == shape
    last = Bidirectional(LSTM(2))
    y = last.forward(x, training=True)
    np.testing.assert_array_equal(y, np.zeros((shape[0], 4)))
    assert last.backward(y).shape == shape
    assert all((gradient == 0).all() for gradient in last.gradients())


def test_time_distributed_is_the_layer_on_every_step(x):
    stacked = np.stack([x, 2 * x], axis=1)
    layer = TimeDistributed(LSTM(H, return_sequences=True))
    y = layer.forward(stacked, training=True)
    inner = layer.layer
    np.testing.assert_array_equal(y, np.stack([inner(x), inner(2 * x)], axis=1))
    assert layer.backward(y).shape == stacked.shape
    softmax = TimeDistributed(Dense(4, activation="softmax"))(x)
    np.testing.assert_allclose(softmax.sum(axis=-1), 1, rtol=1e-6)


# What was computed


@pytest.mark.parametrize(
    "make",
    [
        lambda: LSTM(H, activation="relu", kernel_regularizer="l2", seed=3, dropout=0.5, dtype="float64"),
        lambda: GRU(H, recurrent_activation="hard_sigmoid", bias_regularizer="l1", reset_after=False, stateful=True),
        lambda: Dropout(0.5, noise_shape=(None, 1, F)),
        lambda: Embedding(5, 2, mask_zero=True),
        lambda: Bidirectional(SimpleRNN(H, return_sequences=True), merge_mode=None),
        lambda: TimeDistributed(TimeDistributed(Bidirectional(LSTM(H), merge_mode="sum"))),
    ],
)
def test_a_configuration_makes_the_layer_again(make):
    config = make().get_config()
    again = type(make()).from_config(config)
    assert again.get_config() == config
    assert type(again) is type(make())


def test_a_configuration_of_no_layer():
    config = TimeDistributed(Dense(2)).get_config()
    with pytest.raises(ValueError, match="class_name must be that of a layer, not 'Input'"):
        TimeDistributed.from_config({**config, "layer": {"class_name": "Input", "config": {}}})


@pytest.mark.parametrize("go_backwards", [False, True])
def test_the_trace_is_what_was_computed(x, go_backwards):
    layer = LSTM(H, return_sequences=True, go_backwards=go_backwards)
    with pytest.raises(ValueError, match=r"no trace.*forward"):
        _ = layer.trace
    y = layer.forward(x, training=True)
    trace = layer.trace
    assert trace.i.shape == trace.f.shape == trace.g.shape == trace.o.shape == (B, T, H)
    assert trace.c.shape == trace.h.shape == (B, T + 1, H)
    np.testing.assert_array_equal(trace.h[:, 1:], y)
    np.testing.assert_array_equal(trace.h[:, 0], 0)
    np.testing.assert_allclose(trace.c[:, 1:], trace.f * trace.c[:, :-1] + trace.i * trace.g, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(y, trace.o * np.tanh(trace.c[:, 1:]), rtol=1e-5, atol=1e-6)
    layer.backward(y)
    with pytest.raises(ValueError, match=r"no trace.*forward"):
        _ = layer.trace


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("reset_after", [True, False])
def test_the_trace_of_a_gru_is_what_was_computed(x, reset_after, go_backwards):
    options = {"return_sequences": True, "go_backwards": go_backwards, "reset_after": reset_after}
    layer = GRU(H, bias_initializer="random_normal", **options)
    with pytest.raises(ValueError, match=r"no trace.*forward"):
        _ = layer.trace
    y = layer.forward(x, training=True)
    trace = layer.trace
    assert trace.z.shape == trace.r.shape == trace.n.shape == (B, T, H)
    assert trace.h.shape == (B, T + 1, H)
    np.testing.assert_array_equal(trace.h[:, 1:], y)
    np.testing.assert_array_equal(trace.h[:, 0], 0)
    before = trace.h[:, :-1]
    np.testing.assert_allclose(y, trace.z * before + (1 - trace.z) * trace.n, rtol=1e-5, atol=1e-6)
    kernel, recurrent_kernel, bias = layer.get_weights()
    of_x, of_h = (x[:, ::-1] if go_backwards else x) @ kernel, before @ recurrent_kernel
    if reset_after:
        of_x, of_h = of_x + bias[0], of_h + bias[1]
        candidate = of_x[..., 2 * H :] + trace.r * of_h[..., 2 * H :]
    else:
        of_x = of_x + bias
        candidate = of_x[..., 2 * H :] + (trace.r * before) @ recurrent_kernel[:, 2 * H :]
    update, reset = (1 / (1 + np.exp(-(of_x + of_h)[..., part * H : (part + 1) * H])) for part in (0, 1))
    for gate, expected in ((trace.z, update), (trace.r, reset), (trace.n, np.tanh(candidate))):
        np.testing.assert_allclose(gate, expected, rtol=1e-4, atol=1e-5)
    layer.backward(y)
    with pytest.raises(ValueError, match=r"no trace.*forward"):
        _ = layer.trace


def test_input_gradient_is_the_slope_of_the_output(x):
    x = x.astype("float64")
    model = Sequential(
        [
            Dropout(0.5, dtype="float64"),
            Bidirectional(LSTM(H, dropout=0.5, recurrent_dropout=0.5, return_sequences=True, dtype="float64")),
            Flatten(dtype="float64"),
            Dense(3, activation="tanh", dtype="float64"),
        ]
    )
    model.build(x.shape)
    before = [gradient.copy() for layer in model.layers for gradient in layer.gradients()]
    direction, step = np.random.default_rng(1).normal(size=x.shape), 1e-6
    for index in (None, 2):
        gradient = model.input_gradient(x, index=index, batch_size=2)
        assert gradient.shape == x.shape
        part = slice(None) if index is None else index
        slopes = (model.predict(x + step * direction) - model.predict(x - step * direction))[:, part] / (2 * step)
        np.testing.assert_allclose((gradient * direction).sum(), slopes.sum(), rtol=1e-7)
    for layer_gradient, kept in zip((g for layer in model.layers for g in layer.gradients()), before, strict=True):
        np.testing.assert_array_equal(layer_gradient, kept)


def test_input_gradient_refuses(x):
    model = Sequential([LSTM(H), Dense(2)])
    with pytest.raises(ValueError, match="index must be below 2"):
        model.input_gradient(x, index=2)
    with pytest.raises(ValueError, match=r"not \(5, 7, 4\)"):
        model.input_gradient(np.zeros((B, T, F + 1)))
    with pytest.raises(ValueError, match="ids, which have no gradient"):
        Sequential([Embedding(3, 2), LSTM(2)]).input_gradient(np.zeros((2, 2), int))
