"""Regularizers: names, arguments, penalties."""

from __future__ import annotations

import numpy as np
import pytest

from numlstm import regularizers


@pytest.mark.parametrize(
    ("identifier", "cls", "config"),
    [
        ("l1", regularizers.L1, {"l1": 0.01}),
        ("L1", regularizers.L1, {"l1": 0.01}),
        ("l2", regularizers.L2, {"l2": 0.01}),
        ("l1_l2", regularizers.L1L2, {"l1": 0.01, "l2": 0.01}),
        (regularizers.L1L2(l2=0.5), regularizers.L1L2, {"l1": 0.0, "l2": 0.5}),
        (regularizers.L2, regularizers.L2, {"l2": 0.01}),
    ],
    ids=["l1", "L1", "l2", "l1_l2", "an instance", "a class"],
)
def test_names_and_defaults(identifier, cls, config):
    made = regularizers.get(identifier)
    assert type(made) is cls
    assert made.get_config() == config
    assert made.l1 == config.get("l1", 0)
    assert made.l2 == config.get("l2", 0)
    again = regularizers.get(regularizers.serialize(made))
    assert type(again) is cls
    assert again.get_config() == config


def test_none_is_none():
    assert regularizers.get(None) is None
    assert regularizers.serialize(None) is None


def test_the_names_of_functions_are_the_classes():
    assert regularizers.l2(0.5).get_config() == regularizers.L2(0.5).get_config()
    assert (regularizers.l1, regularizers.l1_l2) == (regularizers.L1, regularizers.L1L2)


def test_penalties():
    w = np.array([[1.0, -2.0], [0.0, 3.0]])
    assert regularizers.L1(0.5)(w) == 3
    assert regularizers.L2(0.5)(w) == 7
    assert regularizers.L1L2(0.5, 0.5)(w) == 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: regularizers.L1(-0.1), "l1 .*-0.1"),
        (lambda: regularizers.L2(float("nan")), "l2 .*nan"),
        (lambda: regularizers.L1L2(0.1, float("inf")), "l2 .*inf"),
        (lambda: regularizers.get("l3"), "regularizer must be one of 'l1', 'l1_l2', 'l2', not 'l3'"),
        (lambda: regularizers.get(np.zeros(2)), "regularizer must be one of 'l1', 'l1_l2', 'l2', not array"),
    ],
    ids=["l1", "l2", "l1_l2", "name", "array"],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_factor_that_is_no_number():
    with pytest.raises(TypeError, match="l2 must be a number, not 'x'"):
        regularizers.L1L2(0.1, "x")


def test_keras_name_of_both():
    assert regularizers.get("l1l2").get_config() == {"l1": 0.0, "l2": 0.0}
