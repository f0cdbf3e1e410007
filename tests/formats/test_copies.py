"""Copies and pickles of models, layers and optimizers, and models from their configurations."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle

import numpy as np
import pytest

import numlstm
from numlstm import Input, Model, Sequential, models, optimizers
from numlstm.formats.tensors import ModelFileError
from numlstm.layers import LSTM, Activation, Add, Bidirectional, Dense, Dropout, Embedding, Flatten

X, Y = np.random.default_rng(0).normal(size=(9, 5, 3)), np.ones((9, 1))


def trained():
    model = Sequential([LSTM(4, dropout=0.2, input_shape=(5, 3)), Dropout(0.1), Dense(1)])
    model.compile(optimizers.Adam(0.01, clipnorm=1.0), "mae", metrics=["mse"])
    model.fit(X, Y, shuffle=False, verbose=0)
    return model


def pickled(thing):
    return pickle.loads(pickle.dumps(thing))


COPY = pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickled])


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@COPY
def test_a_copied_model_goes_on_as_the_original(make):
    model = trained()
    twin = make(model)
    assert twin.name == model.name
    assert_same(twin.get_weights(), model.get_weights())
    histories = [one.fit(X, Y, epochs=2, shuffle=False, verbose=0).history for one in (model, twin)]
    assert histories[0] == histories[1]
    assert_same(twin.get_weights(), model.get_weights())


@pytest.mark.parametrize(
    "make",
    [
        Sequential,
        lambda: Sequential([Input((5, 3))]),
        lambda: Sequential([LSTM(2), Dense(1)]),
        lambda: Sequential([Input((4,)), Activation("relu")]),
    ],
)
def test_a_model_without_weights_is_copied(make):
    model = make()
    model.compile("sgd", "mae")
    twin = pickled(model)
    assert twin.get_config() == model.get_config()
    assert (twin.built, twin.loss.name) == (model.built, "mean_absolute_error")


@COPY
def test_a_copied_layer_belongs_to_no_model(make):
    model = trained()
    layer = make(model.layers[0])
    assert layer.owner is None
    assert layer.get_config() == model.layers[0].get_config()
    assert_same(layer.get_weights(), model.layers[0].get_weights())
    assert_same([layer(X)], [model.layers[0](X)])
    Sequential([layer])


@pytest.mark.parametrize("layer", [Dense(3), Bidirectional(LSTM(2, return_state=True)), Embedding(4, 2), Flatten()])
def test_a_layer_is_copied_before_and_after_it_is_built(layer):
    assert not pickled(layer).built
    x = np.ones((2, 3)) if layer.input_dtype == "int64" else np.ones((2, 3, 4))
    y, twin = layer(x), pickled(layer)
    assert_same(twin(x), y)


def test_a_copied_optimizer_keeps_its_settings_and_its_state():
    model = trained()
    twin = pickled(model.optimizer)
    assert twin.get_config() == model.optimizer.get_config()
    assert twin.iterations == model.optimizer.iterations == 1
    state, kept = model.optimizer.state(), pickled(twin).state()
    assert set(kept) == set(state) == {"iterations", "m", "v"}
    assert_same([kept[name] for name in state], state.values())
    other = models.clone_model(model)
    other.compile(twin, "mae")
    other.set_weights(model.get_weights())
    for one in (model, other):
        one.layers[0].random.step = one.layers[1].random.step = 0
        one.train_on_batch(X, Y)
    assert_same(other.get_weights(), model.get_weights())


def test_the_state_of_a_copied_optimizer_must_fit():
    twin, model = pickled(trained().optimizer), Sequential([Dense(1, input_shape=(3,))])
    model.compile(twin, "mse")
    with pytest.raises(ValueError, match=r"^the optimizer's state has shapes"):
        model.train_on_batch(np.ones((1, 3)), [1.0])


@pytest.mark.parametrize("thing", [trained, lambda: Dense(2), lambda: optimizers.SGD(0.1)])
def test_changed_bytes_are_refused(thing):
    content = pickle.dumps(thing())
    at = content.index(b"config") + 30
    with pytest.raises(ModelFileError, match=r"^the pickled "):
        pickle.loads(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])


def test_a_model_comes_back_from_a_worker_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        twin = pool.apply(copy.deepcopy, [model := trained()])
    assert_same([twin.predict(X)], [model.predict(X)])


def test_a_model_of_a_configuration_has_new_weights():
    model = trained()
    config = json.loads(json.dumps(model.get_config()))
    text = model.to_json(indent=2)
    for twin in (Sequential.from_config(config), models.model_from_json(text), models.clone_model(model)):
        assert twin.get_config() == model.get_config()
        assert twin.optimizer is None
        assert (twin.get_weights()[0] != model.get_weights()[0]).any()
    assert models.load_model is numlstm.load_model


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"class_name": "Other"}', '{"class_name": "Sequential"}'])
def test_json_that_describes_no_model_is_refused(text):
    with pytest.raises(ModelFileError, match=r"^the JSON text does not describe a model"):
        models.model_from_json(text)


def test_what_cannot_be_cloned_is_refused():
    with pytest.raises(ModelFileError, match=r"^the configuration does not describe a model"):
        Sequential.from_config({"name": "a", "input_shape": None, "layers": [{"class_name": "Nothing", "config": {}}]})
    with pytest.raises(TypeError, match=r"^only a model can be cloned, not 3"):
        models.clone_model(3)


# Graphs


def graph():
    x = Input((None, 3), name="x")
    shared = LSTM(2, return_sequences=True, return_state=True)
    first, *state = shared(x)
    second, *_ = shared(Dense(3)(first), initial_state=state)
    model = Model({"x": x}, [Add()([first, second]), state[0]])
    model.compile("adam", ["mse", "mae"], loss_weights=[1.0, 0.5])
    model.fit(X, [X[:, :, :2], X[:, 0, :2]], verbose=0)
    return model


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"]
)
def test_a_graph_is_copied(copied):
    model = graph()
    twin = copied(model)
    assert type(twin) is Model
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]
    for each in (model, twin):
        numlstm.set_seed(2)
        each.fit({"x": X}, [X[:, :, :2], X[:, 0, :2]], verbose=0)
    for ours, theirs in zip(model.predict(X), twin.predict(X), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_graph_is_described():
    model = graph()
    made = [models.model_from_json(model.to_json()), models.clone_model(model)]
    for twin in made:
        assert twin.get_config() == model.get_config()
        twin.set_weights(model.get_weights())
        for ours, theirs in zip(model.predict({"x": X}), twin.predict({"x": X}), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="it is that of a Model"):
        Sequential.from_config(model.get_config())
    with pytest.raises(ValueError, match="it is that of a Sequential"):
        Model.from_config(Sequential([LSTM(2)]).get_config())
