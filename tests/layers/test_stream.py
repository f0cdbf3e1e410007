"""One step at a time: the same bits as a whole pass, and the state between the steps."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest

from numlstm import Sequential
from numlstm.layers import GRU, LSTM, Dense, Embedding, LayerNormalization, SimpleRNN

LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]

rng = np.random.default_rng(11)


def stacked(features, *units, dtype="float32", sequences=True, layer_class=LSTM):
    """Recurrent layers and a Dense one, on any number of steps."""
    model = Sequential()
    for index, H in enumerate(units):
        last = index == len(units) - 1
        shape = (None, features) if index == 0 else None
        model.add(layer_class(H, return_sequences=sequences or not last, dtype=dtype, input_shape=shape))
    model.add(Dense(2, dtype=dtype))
    return model


def inputs(*shape, dtype="float32"):
    return rng.normal(size=shape).astype(dtype)


@pytest.mark.parametrize(("features", "units"), [(1, (50,)), (5, (17,)), (3, (16, 33)), (40, (7, 1, 64)), (2, (400,))])
@pytest.mark.parametrize("batch", [None, 1, 3, 64])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_a_stream_gives_the_bits_of_the_whole_pass(layer_class, features, units, batch, dtype):
    model = stacked(features, *units, dtype=dtype, layer_class=layer_class)
    x = inputs(batch or 1, 9, features, dtype=dtype)
    stream = model.stream(batch=batch)
    if batch is None:
        y = np.stack([stream.push(x[0, t]) for t in range(9)])[None]
    else:
        y = np.stack([stream.push(x[:, t]) for t in range(9)], axis=1)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, model.predict(x))


def test_a_normalized_stream_gives_the_bits_of_the_whole_pass(dtype):
    model = Sequential([LSTM(7, return_sequences=True, dtype=dtype, input_shape=(None, 3))])
    model.add(LayerNormalization(gamma_initializer="random_normal", beta_initializer="random_normal", dtype=dtype))
    model.add(GRU(5, return_sequences=True, dtype=dtype))
    model.add(LayerNormalization([-1], center=False, scale=False, dtype=dtype))
    x, stream = inputs(3, 9, 3, dtype=dtype), model.stream(batch=3)
    y = np.stack([stream.push(x[:, t]) for t in range(9)], axis=1)
    np.testing.assert_array_equal(y, model.predict(x))
    model.set_weights([2 * weight for weight in model.get_weights()])
    stream.reset()
    np.testing.assert_array_equal(stream.push(x[:, 0]), model.predict(x)[:, 0])


def test_return_sequences_does_not_matter():
    whole, last = stacked(3, 20, 20), stacked(3, 20, 20, sequences=False)
    last.set_weights(whole.get_weights())
    x = inputs(6, 3)
    stream = last.stream()
    np.testing.assert_array_equal(np.stack([stream.push(x_t) for x_t in x]), whole.predict(x[None])[0])


def test_reset_begins_anew_after_any_number_of_steps():
    stream = stacked(2, 9, 9).stream()
    x = inputs(5, 2)
    first = [stream.push(x_t) for x_t in x]
    for pushed in (1, 2, 3):
        stream.reset()
        np.testing.assert_array_equal([stream.push(x_t) for x_t in x[:pushed]], first[:pushed])


@pytest.mark.parametrize("pushed", [1, 2])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_an_open_stream_sees_new_weights_and_keeps_its_state(layer_class, pushed):
    model = stacked(1, 12, layer_class=layer_class)
    x = inputs(8, 1)
    stream = model.stream()
    for x_t in x[:pushed]:
        stream.push(x_t)
    before = model.get_weights()
    model.compile("sgd", "mse")
    model.fit(inputs(20, 8, 1), inputs(20, 8, 2), verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])
    got = np.stack([stream.push(x_t) for x_t in x[pushed:]])

    # The same by layers, the state taken over from the old weights.
    old = layer_class(12, return_sequences=True, return_state=True)
    old.build((None, None, 1), before[:3])
    _, *state = old(x[None, :pushed])
    new = layer_class(12, return_sequences=True)
    new.build((None, None, 1), model.get_weights()[:3])
    np.testing.assert_array_equal(got, model.layers[1](new(x[None, pushed:], initial_state=state))[0])


def test_outputs_are_arrays_of_their_own():
    stream = stacked(1, 4).stream()
    first = stream.push([0.5])
    kept = first.copy()
    stream.push([0.7])
    np.testing.assert_array_equal(first, kept)


def test_streams_of_one_model_have_states_of_their_own():
    model = stacked(1, 4)
    one, other = model.stream(), model.stream()
    x = inputs(3, 1)
    expected = [one.push(x_t) for x_t in x]
    np.testing.assert_array_equal([other.push(x_t) for x_t in x], expected)


def test_what_is_no_array_of_the_dtype_is_converted():
    model = stacked(2, 4)
    expected = model.stream().push(np.array([1, 2], "float32"))
    for x_t in ([1, 2], (1.0, 2.0), np.array([1, 2]), np.array([1.0, 2.0]), np.array([1, 2], ">f4")):
        np.testing.assert_array_equal(model.stream().push(x_t), expected)
    strided = np.array([[1, 0], [2, 0]], "float32")[:, 0]
    np.testing.assert_array_equal(model.stream().push(strided), expected)


def test_out_takes_the_output_and_nothing_is_allocated():
    stream = stacked(3, 50).stream(batch=2)
    x_t, y = inputs(2, 3), np.empty((2, 2), "float32")
    assert stream.push(x_t, out=y) is y
    np.testing.assert_array_equal(y, stacked_again(stream, x_t))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(100):
            stream.push(x_t, out=y)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Views, shapes and the like come and go; no array does, whose data alone would take more.
    assert after - before < 500
    assert peak - before < 1500


def stacked_again(stream, x_t):
    stream.reset()
    return stream.push(x_t)


@pytest.mark.parametrize(
    ("x_t", "error", "message"),
    [
        ([1.0], ValueError, r"x_t must have shape \(2,\) \(features,\), not \(1,\)"),
        (np.zeros((1, 2), "float32"), ValueError, r"x_t must have shape \(2,\) \(features,\), not \(1, 2\)"),
        (["a", "b"], TypeError, "x_t holds .* expected real numbers"),
    ],
)
def test_what_cannot_be_a_step_is_refused(x_t, error, message):
    with pytest.raises(error, match=message):
        stacked(2, 4).stream().push(x_t)


def test_a_batch_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"x_t must have shape \(3, 2\) \(batch, features\), not \(2,\)"):
        stacked(2, 4).stream(batch=3).push([1.0, 2.0])


@pytest.mark.parametrize(
    "out", [np.empty(1, "float32"), np.empty(2, "float64"), [0.0, 0.0], np.broadcast_to(np.float32(0), 2)]
)
def test_an_out_that_does_not_fit_is_refused(out):
    with pytest.raises(ValueError, match=r"out must be a float32 array of shape \(2,\)"):
        stacked(1, 4).stream().push([1.0], out=out)


@pytest.mark.parametrize(("batch", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_a_batch_is_a_positive_integer(batch, error):
    with pytest.raises(error, match="batch"):
        stacked(1, 4).stream(batch)


def test_a_layer_that_reads_backwards_cannot_stream():
    model = Sequential([LSTM(4, go_backwards=True, return_sequences=True, input_shape=(5, 1), name="back")])
    with pytest.raises(ValueError, match=r"layer 'back' reads .*backwards.* cannot be streamed"):
        model.stream()


def test_a_model_without_weights_cannot_stream():
    with pytest.raises(ValueError, match="no weights yet"):
        Sequential([LSTM(4)]).stream()


def test_a_stream_of_a_model_that_grew_says_so():
    model = stacked(1, 4)
    stream = model.stream()
    model.add(Dense(1))
    with pytest.raises(ValueError, match="open a new one"):
        stream.push([1.0])


# Ids.


def of_ids(**options):
    model = Sequential([Embedding(7, 3, input_shape=(None,), **options), LSTM(5, return_sequences=True), Dense(7)])
    return model


@pytest.mark.parametrize("batch", [None, 2])
def test_a_stream_of_ids_has_the_bits_of_the_whole(batch):
    model = of_ids()
    ids = np.random.default_rng(0).integers(0, 7, (2, 9))
    whole = model.predict(ids)
    stream = model.stream(batch)
    steps = ids[0] if batch is None else ids.T
    expected = whole[0] if batch is None else whole.swapaxes(0, 1)
    np.testing.assert_array_equal(np.stack([stream.push(x_t) for x_t in steps]), expected)
    stream.reset()
    np.testing.assert_array_equal(stream.push(steps[0].tolist()), expected[0])


@pytest.mark.parametrize(
    ("x_t", "error", "message"),
    [
        (7, ValueError, "x_t holds 7, but the ids of layer 'embedding.*' are 0 to 6"),
        (-1, ValueError, "x_t holds -1"),
        ([1], ValueError, r"x_t must be one id, not an array of shape \(1,\)"),
        ("a", TypeError, "expected ids"),
    ],
)
def test_what_is_no_id_is_refused(x_t, error, message):
    with pytest.raises(error, match=message):
        of_ids().stream().push(x_t)


def test_an_open_stream_of_ids_sees_new_vectors():
    model = of_ids()
    stream = model.stream()
    stream.push(1)
    table, *others = model.get_weights()
    model.set_weights([2 * table, *others])
    stream.reset()
    np.testing.assert_array_equal(stream.push(1), model.predict(np.array([[1]]))[0, 0])


def test_an_embedding_that_masks_cannot_stream():
    with pytest.raises(ValueError, match="cannot be streamed: mask_zero masks steps"):
        of_ids(mask_zero=True).stream()
