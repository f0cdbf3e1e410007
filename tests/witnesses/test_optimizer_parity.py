"""Keras and PyTorch as second opinions on optimizers and schedules: a hundred steps with the same gradients."""

from __future__ import annotations

import numpy as np
import optimizer_case as case
import pytest
from witness import witness

from numlstm import backend as backends
from numlstm import optimizers, schedules


@pytest.fixture
def keras():
    return witness("keras")


@pytest.fixture
def torch():
    return witness("torch")


def assert_close(actual, expected):
    """Keras rounds its settings to float32, whatever the variables are."""
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


# Keras


def train_keras(keras, optimizer):
    weights, gradients = case.draw()
    variables = [keras.Variable(w, dtype="float64", name=n) for n, w in zip(case.SHAPES, weights, strict=True)]
    for step in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64") for g in step], variables)
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("options", case.OPTIONS, ids=str)
@pytest.mark.parametrize("make", case.OPTIMIZERS, ids=case.NAMES)
def test_a_hundred_steps_are_keras(keras, make, options):
    # A learning rate that float32 holds, since Keras keeps it in that.
    ours = make(learning_rate=0.03125, **options)
    theirs = getattr(keras.optimizers, type(ours).__name__)(**ours.get_config())
    assert_close(case.train(ours, backends.load("cpu")), train_keras(keras, theirs))


def test_what_is_excluded_from_weight_decay_is_so_in_keras(keras):
    ours, theirs = (module.AdamW(0.03125, weight_decay=0.5) for module in (optimizers, keras.optimizers))
    for optimizer in (ours, theirs):
        optimizer.exclude_from_weight_decay(var_names=["bias", "recurrent"])
    assert_close(case.train(ours, backends.load("cpu")), train_keras(keras, theirs))


def test_defaults_are_keras(keras):
    for name in ("SGD", "RMSprop", "Adam", "AdamW", "Nadam"):
        ours, theirs = (getattr(module, name)().get_config() for module in (optimizers, keras.optimizers))
        theirs["name"] = ours["name"]  # Theirs may be numbered.
        assert theirs.pop("learning_rate") == pytest.approx(ours.pop("learning_rate"), rel=1e-6)
        unsupported = theirs.keys() - ours.keys()
        assert {key: theirs[key] for key in ours} == ours
        # What there is no counterpart of is taken as long as it has its default.
        getattr(optimizers, name)(**{key: theirs[key] for key in unsupported})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ExponentialDecay", (0.1, 30, 0.5)),
        ("ExponentialDecay", (0.1, 30, 0.5, True)),
        ("PiecewiseConstantDecay", ([10, 20], [0.3, 0.2, 0.1])),
        ("CosineDecay", (0.1, 50)),
        ("CosineDecay", (0.1, 50, 0.2, "named", 0.4, 13)),
    ],
)
def test_schedules_are_keras(keras, name, arguments):
    ours, theirs = getattr(schedules, name)(*arguments), getattr(keras.optimizers.schedules, name)(*arguments)
    for step in range(100):
        assert ours(step) == pytest.approx(float(theirs(step)), rel=1e-5, abs=1e-8)
    assert ours.get_config() == theirs.get_config()


# PyTorch


def torch_optimizers(torch):
    """Ours and theirs, where the mathematics are the same; some only once epsilon is next to nothing."""
    rate, tiny = 0.03, 1e-30
    return {
        "sgd": (optimizers.SGD(rate), lambda p: torch.optim.SGD(p, rate)),
        "momentum": (optimizers.SGD(rate, 0.9), lambda p: torch.optim.SGD(p, rate, 0.9)),
        "nesterov": (optimizers.SGD(rate, 0.9, True), lambda p: torch.optim.SGD(p, rate, 0.9, nesterov=True)),
        "rmsprop": (
            optimizers.RMSprop(rate, 0.8, 0.7, epsilon=tiny),
            lambda p: torch.optim.RMSprop(p, rate, 0.8, eps=tiny, momentum=0.7),
        ),
        "adam": (optimizers.Adam(rate, epsilon=tiny), lambda p: torch.optim.Adam(p, rate, eps=tiny)),
        "adamw": (
            optimizers.AdamW(rate, weight_decay=0.25, epsilon=tiny),
            lambda p: torch.optim.AdamW(p, rate, weight_decay=0.25, eps=tiny),
        ),
        "nadam": (optimizers.Nadam(rate), lambda p: torch.optim.NAdam(p, rate, eps=1e-7, momentum_decay=1.0)),
    }


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw", "nadam"])
@pytest.mark.parametrize("clip", [None, "clipvalue", "global_clipnorm"])
def test_a_hundred_steps_are_torchs(torch, name, clip):
    ours, make = torch_optimizers(torch)[name]
    if clip is not None:
        ours = type(ours).from_config(ours.get_config() | {clip: 0.5})
    weights, gradients = case.draw()
    parameters = [torch.tensor(w, requires_grad=True) for w in weights]
    theirs = make(parameters)
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = torch.tensor(gradient)
        if clip == "clipvalue":
            torch.nn.utils.clip_grad_value_(parameters, 0.5)
        elif clip == "global_clipnorm":
            torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        theirs.step()
    # PyTorch divides by the norm and 1e-6 more, and keeps Nadam's product in float32.
    bound = 1e-5 if clip == "global_clipnorm" else 1e-7 if name == "nadam" else 1e-10
    for actual, expected in zip(case.train(ours, backends.load("cpu")), parameters, strict=True):
        np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=0, atol=bound)


@pytest.mark.parametrize("options", [{}, {"pct_start": 0.07, "div_factor": 3.0, "final_div_factor": 7.0}], ids=str)
@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_one_cycle_is_torchs(torch, steps, options):
    schedule = schedules.OneCycle(0.4, steps, **options)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.4, total_steps=steps, cycle_momentum=False, **options)
    for step in range(steps):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        if step + 1 < steps:
            theirs.step()
