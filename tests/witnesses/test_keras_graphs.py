"""Keras' functional models as witnesses: equal weights, then ten steps of training to equal losses and weights."""

from __future__ import annotations

import numpy as np
import pytest
from witness import witness

import numlstm

keras = witness("keras")

B, T, F, H = 6, 5, 3, 4
WORDS, CLASSES = 9, 3


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def words(steps, seed=0):
    """Ids [B, steps], of which the last ones of some rows are padding."""
    random = np.random.default_rng(seed)
    ids = random.integers(1, WORDS, (B, steps))
    return np.where(np.arange(steps) < random.integers(1, steps + 1, (B, 1)), ids, 0).astype("int32")


def classes(*shape, seed=0):
    return np.eye(CLASSES, dtype="float32")[np.random.default_rng(seed).integers(0, CLASSES, shape)]


# Each graph: made of a library, `kit`; with inputs, targets and arguments of `compile`. All layers have names.


def two_inputs(kit):
    text, series = kit.Input((None,), dtype="int32"), kit.Input((T, F))
    embedded = kit.layers.Embedding(WORDS, F, mask_zero=True, name="words")(text)
    left = kit.layers.LSTM(H, name="reads words")(embedded)
    right = kit.layers.GRU(H, name="reads series")(series)
    merged = kit.layers.Concatenate(name="joined")([left, right, kit.layers.Multiply(name="product")([left, right])])
    return kit.Model([text, series], kit.layers.Dense(2, name="head")(merged))


def shared_layer(kit):
    a, b = kit.Input((T, F)), kit.Input((T, F))
    reader = kit.layers.LSTM(H, name="reader")
    squash = kit.layers.Dense(H, "tanh", name="squash")
    left, right = squash(reader(a)), squash(reader(b))
    difference = kit.layers.Subtract(name="difference")([left, right])
    return kit.Model([a, b], kit.layers.Dense(1, "sigmoid", name="head")(difference))


def seq2seq(kit):
    source, target = kit.Input((None, F)), kit.Input((None, CLASSES))
    _, h, c = kit.layers.LSTM(H, return_state=True, name="encoder")(source)
    decoder = kit.layers.LSTM(H, return_sequences=True, return_state=True, name="decoder")
    decoded, *_ = decoder(target, initial_state=[h, c])
    return kit.Model([source, target], kit.layers.Dense(CLASSES, "softmax", name="head")(decoded))


def two_outputs(kit):
    series = kit.Input((T, F))
    hidden, h, _ = kit.layers.LSTM(H, return_sequences=True, return_state=True, name="body")(series)
    return kit.Model(series, [kit.layers.Dense(1, name="steps")(hidden), kit.layers.Dense(2, name="last")(h)])


def bidirectional_encoder(kit):
    source, target = kit.Input((None,), dtype="int32"), kit.Input((None, F))
    embedded = kit.layers.Embedding(WORDS, F, mask_zero=True, name="words")(source)
    encoder = kit.layers.Bidirectional(kit.layers.LSTM(H, return_state=True), name="encoder")
    _, h_forward, c_forward, h_backward, c_backward = encoder(embedded)
    h = kit.layers.Concatenate(name="h")([h_forward, h_backward])
    c = kit.layers.Concatenate(name="c")([c_forward, c_backward])
    decoded = kit.layers.LSTM(2 * H, return_sequences=True, name="decoder")(target, initial_state=[h, c])
    return kit.Model([source, target], kit.layers.Dense(2, name="head")(decoded))


def attention(kit):
    source, target = kit.Input((None,), dtype="int32"), kit.Input((None,), dtype="int32")
    embedding = kit.layers.Embedding(WORDS, H, mask_zero=True, name="words")
    keys, *state = kit.layers.LSTM(H, return_sequences=True, return_state=True, name="encoder")(embedding(source))
    # Keras 3 forgets the mask of a recurrent layer that is given a state, unless the mask is given too.
    mask = {"mask": embedding.compute_mask(target)} if kit is keras else {}
    queries = kit.layers.LSTM(H, return_sequences=True, name="decoder")(embedding(target), initial_state=state, **mask)
    seen = kit.layers.Attention(use_scale=True, name="attention")([queries, keys])
    joined = kit.layers.Concatenate(name="joined")([queries, seen])
    return kit.Model([source, target], kit.layers.Dense(CLASSES, "softmax", name="head")(joined))


def residual(kit):
    series = kit.Input((T, F))
    masked = kit.layers.Masking(name="masking")(series)
    hidden = kit.layers.GRU(F, return_sequences=True, name="body")(masked)
    normalized = kit.layers.LayerNormalization(name="normalized")(kit.layers.Add(name="added")([masked, hidden]))
    squashed = kit.layers.TimeDistributed(kit.layers.Dense(H, "tanh"), name="squashed")(normalized)
    return kit.Model(series, kit.layers.LSTM(2, name="head")(squashed))


GRAPHS = {
    two_inputs: ([words(T), draw(B, T, F)], draw(B, 2, seed=1), {"loss": "mse", "metrics": ["mae"]}),
    shared_layer: ([draw(B, T, F), draw(B, T, F, seed=1)], words(1) % 2, {"loss": "binary_crossentropy"}),
    seq2seq: ([draw(B, T, F), classes(B, 4)], classes(B, 4, seed=1), {"loss": "categorical_crossentropy"}),
    two_outputs: (
        draw(B, T, F),
        [draw(B, T, 1, seed=1), draw(B, 2, seed=2)],
        {"loss": ["mse", "mae"], "loss_weights": [1.0, 0.3]},
    ),
    bidirectional_encoder: ([words(T), draw(B, 3, F)], draw(B, 3, 2, seed=1), {"loss": "mse"}),
    residual: (draw(B, T, F) * (words(T) > 0)[..., None], draw(B, 2, seed=1), {"loss": "mse", "metrics": ["mae"]}),
    attention: ([words(T), words(4, seed=1)], classes(B, 4), {"loss": "categorical_crossentropy"}),
}


@pytest.fixture(params=GRAPHS, ids=lambda graph: graph.__name__)
def pair(request):
    """Keras' model and ours with the same weights, inputs, targets and arguments of `compile`."""
    theirs, ours = (request.param(kit) for kit in (keras, numlstm))
    weights = np.random.default_rng(4)
    for layer in theirs.layers:
        if layer.weights:
            drawn = [weights.normal(scale=0.5, size=weight.shape) for weight in layer.get_weights()]
            layer.set_weights(drawn)
            ours.get_layer(layer.name).set_weights(drawn)
    return theirs, ours, *GRAPHS[request.param]


def assert_equal_outputs(theirs, ours, x, bound):
    expected, actual = (model.predict(x, verbose=0) for model in (theirs, ours))
    several = isinstance(expected, list)
    for a, b in zip(actual if several else [actual], expected if several else [expected], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=bound)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_ten_steps(pair, optimizer):
    theirs, ours, x, y, choices = pair
    assert_equal_outputs(theirs, ours, x, 2e-6)
    histories = []
    for model, kit in ((theirs, keras), (ours, numlstm)):
        rate = {"SGD": 0.1, "Adam": 0.01}[optimizer]
        model.compile(getattr(kit.optimizers, optimizer)(rate), **choices)
        histories.append(model.fit(x, y, batch_size=B, epochs=10, shuffle=False, verbose=0).history)
    assert sorted(histories[1]) == sorted(histories[0])
    for name, values in histories[0].items():
        np.testing.assert_allclose(histories[1][name], values, rtol=1e-5, err_msg=name)
    for layer in theirs.layers:
        if layer.weights:
            for a, b in zip(ours.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_allclose(a, b, rtol=0, atol=5e-6, err_msg=layer.name)
    assert_equal_outputs(theirs, ours, x, 5e-6)
