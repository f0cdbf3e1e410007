"""What is planned is what runs."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from numlstm import Sequential, backend
from numlstm.cli import main
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, SimpleRNN
from numlstm.plan import plan_layer

LAYERS = [LSTM, SimpleRNN, GRU, partial(GRU, reset_after=False)]


@pytest.mark.parametrize("shape", [(32, 10, 1, 50), (1, 3, 2, 5), (1, 4, 40, 600), (3, 2, 7, 530), (16, 5, 3, 64)])
@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_path_that_is_planned_is_the_one_that_runs(layer_class, shape):
    B, T, F, H = shape
    model = Sequential([layer_class(H, input_shape=(T, F)), Dense(1)])
    model.compile(device="cpu")
    planned = model.plan(B, device="cpu")
    model.train_on_batch(np.zeros((B, T, F)), np.zeros(B))
    assert planned.layers[0].kernel_name == model.kernel_name
    assert planned.backend == model.backend_name == "cpu"
    assert planned.layers[0].shape == shape


def test_memory_counts_what_a_pass_keeps():
    small, large = plan_layer(8, 10, 4, 32, "cpu"), plan_layer(8, 1000, 4, 32, "cpu")
    # Six numbers a unit and step: four gates, c and h.
    assert large.nbytes - small.nbytes == 990 * 8 * 6 * 32 * 4
    assert small.parameter_bytes == 4 * 4 * (4 * 32 * (4 + 32 + 1))


def test_stacked_layers_are_planned_with_their_own_shapes():
    model = Sequential([LSTM(20, return_sequences=True, input_shape=(6, 3)), LSTM(10), Dense(2)])
    assert [layer.shape for layer in model.plan(4, device="cpu").layers] == [(4, 6, 3, 20), (4, 6, 20, 10)]


@pytest.mark.parametrize("option", [{}, {"activation": "relu"}, {"recurrent_dropout": 0.1}, {"dropout": 0.1}], ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_plan_names_the_kernel_that_then_runs(layer_class, option):
    model = Sequential([layer_class(5, input_shape=(6, 3), **option), Dense(1)])
    model.compile(device="cpu")
    model.train_on_batch(np.zeros((4, 6, 3)), np.zeros((4, 1)))
    assert model.plan(4, device="cpu").layers[0].kernel_name == model.kernel_name
    assert model.kernel_name.endswith(", with options") == bool({"activation", "recurrent_dropout"} & set(option))


@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("option", [{}, {"recurrent_dropout": 0.1}], ids=str)
@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_plan_of_both_directions_names_what_then_runs(layer_class, rows, option):
    model = Sequential([Bidirectional(layer_class(40, **option), input_shape=(30, 3)), Dense(1)])
    model.compile(device="cpu")
    model.train_on_batch(np.zeros((rows, 30, 3)), np.zeros((rows, 1)))
    (layer,) = model.plan(rows, device="cpu").layers
    assert layer.kernel_name == model.kernel_name
    assert (
        layer.nbytes == 2 * Sequential([layer_class(40, input_shape=(30, 3))]).plan(rows, device="cpu").layers[0].nbytes
    )


def test_an_unknown_length_must_be_said():
    model = Sequential([LSTM(4, input_shape=(None, 3))])
    with pytest.raises(ValueError, match="any length"):
        model.plan()
    assert model.plan(steps=7, device="cpu").layers[0].shape == (32, 7, 3, 4)


def test_auto_stays_on_the_cpu_for_small_work_and_says_why():
    choice = backend.choose("auto", 1e6)
    assert choice.name == "cpu"
    assert "too small" in choice.reason


def test_the_command_plans_without_allocating():
    result = CliRunner().invoke(main, ["plan", "--shape", "64,100,64,100000", "--device", "cpu"])
    assert result.exit_code == 0
    assert "GB" in result.stdout


@pytest.mark.parametrize("shape", ["1,2,3", "1,2,3,0", "a,b,c,d", "1,2,3,4,5"])
def test_the_command_refuses_what_is_no_shape(shape):
    result = CliRunner().invoke(main, ["plan", f"--shape={shape}"])
    assert result.exit_code == 2
    assert "four whole numbers" in result.stderr
