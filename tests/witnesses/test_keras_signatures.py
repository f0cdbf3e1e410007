"""Keras' own signatures as a witness: what we have of its arguments has its defaults, in its order."""

from __future__ import annotations

import inspect

import pytest
from witness import witness

import numlstm
from numlstm import callbacks, initializers, layers, losses, metrics, optimizers, regularizers, schedules, utils

keras = witness("keras")

PACKAGES = [
    (layers, keras.layers),
    (callbacks, keras.callbacks),
    (optimizers, keras.optimizers),
    (losses, keras.losses),
    (metrics, keras.metrics),
    (initializers, keras.initializers),
    (regularizers, keras.regularizers),
    (schedules, keras.optimizers.schedules),
    (utils, keras.utils),
]
METHODS = ["compile", "fit", "evaluate", "predict", "train_on_batch", "test_on_batch"]
OURS = {
    # Without data, or without a loss, there is nothing to do: Keras says so later.
    ("compile", "loss"): "mse",
    ("fit", "x"): inspect.Parameter.empty,
    ("evaluate", "x"): inspect.Parameter.empty,
    ("train_on_batch", "y"): inspect.Parameter.empty,
    ("test_on_batch", "y"): inspect.Parameter.empty,
    # To predict is a question, which prints no bar.
    ("predict", "verbose"): 0,
}
"""Where our default is another on purpose."""
# Keras has the seed last; a base class' arguments are not a user's.
ORDER_OF_OURS = {"SimpleRNN", "Input", "Loss", "Metric"}


def signatures():
    """(name, ours, Keras') of all that both have."""
    for ours, theirs in PACKAGES:
        for name, member in vars(ours).items():
            public = not name.startswith("_") and inspect.isclass(member) and member.__module__.startswith("numlstm")
            if public and hasattr(theirs, name):
                yield name, member, getattr(theirs, name)
    for name in METHODS:
        yield name, getattr(numlstm.Sequential, name), getattr(keras.Sequential, name)


CASES = list(signatures())


@pytest.mark.parametrize(("name", "ours", "theirs"), CASES, ids=[name for name, *_ in CASES])
def test_defaults_and_order(name, ours, theirs):
    ours, theirs = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
    both = [parameter for parameter in ours if parameter in theirs and parameter != "self"]
    for parameter in both:
        default = OURS.get((name, parameter), theirs[parameter].default)
        if parameter == "name" and ours[parameter].default is None:
            continue  # It is that of the class then.
        assert ours[parameter].default == default, parameter
    if name not in ORDER_OF_OURS:
        assert both == [parameter for parameter in theirs if parameter in both]


@pytest.mark.parametrize(
    "name", [name for name in layers.__all__ if name[0].isupper() and name not in ("Input", "Layer")]
)
def test_every_argument_of_a_keras_layer_may_be_given_at_its_default(name):
    needed = {"units": 3, "input_dim": 4, "output_dim": 2, "rate": 0.5, "n": 2, "activation": "relu", "axes": -1}
    needed["layer"] = layers.LSTM(3)
    theirs = inspect.signature(getattr(keras.layers, name)).parameters
    defaults = {
        given: theirs[given].default for given in theirs if theirs[given].default is not inspect.Parameter.empty
    }
    getattr(layers, name)(**{given: needed[given] for given in theirs if given in needed.keys() - defaults}, **defaults)


def test_all_that_users_name_is_compared():
    names = {name for name, *_ in CASES}
    assert {
        "GRU",
        "LSTM",
        "SimpleRNN",
        "Bidirectional",
        "Adam",
        "EarlyStopping",
        "Huber",
        "AUC",
        "L1L2",
        "fit",
    } <= names
