"""The optimizers of the library: a hundred steps against the oracle, settings, schedules, and what files keep."""

from __future__ import annotations

import json
import re

import numpy as np
import optimizer_case as case
import pytest

from numlstm import Sequential, load_model, optimizers, schedules
from numlstm.layers import Dense
from numlstm.optimizers import excluded

MAKERS = pytest.mark.parametrize("make", case.OPTIMIZERS, ids=case.NAMES)


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def small_model(optimizer, **options):
    model = Sequential([Dense(3, input_shape=(3,), **options)])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("options", case.OPTIONS, ids=str)
@MAKERS
def test_a_hundred_steps_are_the_oracles(backend, make, options):
    optimizer = make(learning_rate=0.03, **options)
    for actual, expected in zip(case.train(optimizer, backend), case.expected(optimizer), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
    assert optimizer.iterations == case.STEPS


@MAKERS
def test_a_hundred_steps_in_single_precision(backend, make):
    optimizer = make(learning_rate=0.03)
    for actual, expected in zip(case.train(optimizer, backend, "float32"), case.expected(optimizer), strict=True):
        assert actual.dtype == "float32"
        np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-5)


@MAKERS
def test_a_hundred_steps_with_a_schedule(backend, make):
    optimizer = make(learning_rate=schedules.CosineDecay(0.0, 40, warmup_target=0.05, warmup_steps=20))
    for actual, expected in zip(case.train(optimizer, backend), case.expected(optimizer), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("names", "excluded"),
    [(["bias"], {"bias"}), (["^kernel"], {"kernel"}), (["kernel", "bias"], set(case.SHAPES)), ([], set())],
    ids=["bias", "beginning with kernel", "all", "none"],
)
def test_variables_excluded_from_weight_decay(backend, names, excluded):
    optimizer = optimizers.AdamW(learning_rate=0.03, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=names)
    for actual, expected in zip(case.train(optimizer, backend), case.expected(optimizer, excluded), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="before training begins"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    again = optimizers.get({"class_name": "AdamW", "config": optimizer.get_config()})
    assert_same(case.train(again, backend), case.train(optimizers.AdamW.from_config(optimizer.get_config()), backend))
    assert again.get_config() == optimizer.get_config()


@pytest.mark.parametrize("expression", [r".*a.*a.*a.*a.*a.*!", "a?" * 40 + "a" * 40, "(a|a)" * 40 + "!"])
def test_an_expression_that_could_take_years_is_refused_with_the_variable(expression):
    made = Sequential([Dense(2, input_shape=(3,))])
    optimizer = optimizers.AdamW()
    optimizer.exclude_from_weight_decay(var_names=[expression])
    made.compile(optimizer)
    with pytest.raises(ValueError, match="in var_names repeats too much to look for it in 'kernel'"):
        made.fit(np.zeros((4, 3)), np.zeros((4, 2)), verbose=0)


@pytest.mark.parametrize(
    "expression", ["bias", "^lstm.*/(recurrent_)?kernel$", r"(lstm|gru|dense)_\d+/bias", ".*bias.*"]
)
def test_usual_expressions_look_for_usual_names(expression):
    for name in ("bidirectional_12/forward_lstm_13/recurrent_kernel", "dense_7/bias"):
        assert excluded.finds(expression, name) == bool(re.search(expression, name))


# State


@MAKERS
def test_optimizer_state_is_taken_over(make):
    """Four steps are two steps, the state moved to a new optimizer, and two more."""
    x, y = np.random.default_rng(0).normal(size=(2, 8, 3))
    optimizer = make()
    model = small_model(optimizer)
    start = model.get_weights()
    losses = [model.train_on_batch(x, y) for _ in range(4)]

    again = small_model(make())
    again.set_weights(start)
    for expected in losses[:2]:
        assert again.train_on_batch(x, y) == expected
    state = again.optimizer.state()
    fresh = type(optimizer).from_config(optimizer.get_config())
    again.compile(fresh, "mse")
    fresh.allocate(again.buffers)
    fresh.set_state(state)
    assert fresh.iterations == 2
    for expected in losses[2:]:
        assert again.train_on_batch(x, y) == expected
    with pytest.raises(ValueError, match="optimizer's state has shapes"):
        fresh.set_state({"steps": np.array(1)})


def test_the_state_holds_what_the_options_need():
    kept = {
        (): optimizers.SGD(),
        ("velocity",): optimizers.SGD(momentum=0.5),
        ("mean_square",): optimizers.RMSprop(),
        ("mean_square", "mean", "velocity"): optimizers.RMSprop(momentum=0.5, centered=True),
        ("m", "v"): optimizers.AdamW(),
        ("m", "v", "greatest"): optimizers.Adam(amsgrad=True),
        ("m", "v", "product"): optimizers.Nadam(),
    }
    for names, optimizer in kept.items():
        assert optimizer.state() == {}
        optimizer.allocate(small_model(optimizer).buffers)
        assert tuple(optimizer.state()) == ("iterations", *names)


def test_an_optimizer_belongs_to_one_model():
    optimizer, x = optimizers.Adam(), np.ones((2, 3))
    small_model(optimizer).train_on_batch(x, x)
    with pytest.raises(ValueError, match="already trains another model"):
        small_model(optimizer).train_on_batch(x, x)


# Learning rate


def test_learning_rate_can_be_changed_at_any_time():
    optimizer = optimizers.SGD(0.5)
    model = Sequential([Dense(1, input_shape=(1,), kernel_initializer="zeros")])
    model.compile(optimizer, "mse")
    optimizer.learning_rate = 0.25
    x = np.ones((1, 1))
    model.train_on_batch(x, x)
    np.testing.assert_allclose(model.get_weights()[0], 0.5)
    optimizer.learning_rate = 0.125
    model.train_on_batch(x, 3 * x)
    np.testing.assert_allclose(model.get_weights()[0], 1.0)
    optimizer.learning_rate = 0
    model.train_on_batch(x, 9 * x)
    np.testing.assert_allclose(model.get_weights()[0], 1.0)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([3], [0.125, 0.0])
    model.train_on_batch(x, 4 * x)
    np.testing.assert_allclose(model.get_weights()[0], 1.5)
    assert optimizer.iterations == 4


def test_a_schedule_rules_the_learning_rate():
    schedule = schedules.ExponentialDecay(0.5, 2, 0.25, staircase=True)
    optimizer = optimizers.SGD(schedule)
    model, seen = small_model(optimizer), []
    for _ in range(5):
        seen.append(optimizer.learning_rate)
        model.train_on_batch(np.zeros((1, 3)), np.zeros((1, 3)))
    assert seen == [0.5, 0.5, 0.125, 0.125, 0.03125]
    with pytest.raises(TypeError, match="ExponentialDecay rules it"):
        optimizer.learning_rate = 0.1


def test_a_schedule_of_ones_own(tmp_path):
    class Falling(schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.5 - step

    optimizer = optimizers.SGD(Falling())
    model, x = small_model(optimizer), np.zeros((1, 3))
    # Files know nothing of it, so they keep the number.
    model.save(tmp_path / "model")
    assert load_model(tmp_path / "model").optimizer.learning_rate == 0.5
    model.train_on_batch(x, x)
    with pytest.raises(ValueError, match=r"learning rate must be a number from 0 on, not -0\.5"):
        model.train_on_batch(x, x)


# Files and names


@MAKERS
def test_a_config_makes_the_same_optimizer(make):
    for rate in (0.25, schedules.OneCycle(0.1, 50)):
        optimizer = make(learning_rate=rate, clipvalue=2.0)
        config = json.loads(json.dumps(optimizer.get_config()))
        again = optimizers.get({"class_name": type(optimizer).__name__, "config": config})
        assert type(again) is type(optimizer)
        assert again.get_config() == config == optimizer.get_config()


def test_a_model_file_keeps_the_schedule(tmp_path):
    model = small_model(optimizers.AdamW(schedules.CosineDecay(0.5, 10, warmup_target=1.0, warmup_steps=2)))
    model.save(tmp_path / "model")
    optimizer = load_model(tmp_path / "model").optimizer
    assert optimizer.get_config() == model.optimizer.get_config()
    assert optimizer.learning_rate == 0.5


def test_names():
    for name, cls in (("adam", "Adam"), ("adamw", "AdamW"), ("nadam", "Nadam"), ("rmsprop", "RMSprop"), ("sgd", "SGD")):
        assert type(optimizers.get(name)) is type(optimizers.get(cls)) is getattr(optimizers, cls)
        assert optimizers.get(name).name == name
    assert optimizers.Adam(name="mine").name == "mine"


def test_keras_defaults_may_be_written_out():
    optimizers.Adam(use_ema=False, ema_momentum=0.99, loss_scale_factor=None, gradient_accumulation_steps=None)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optimizers.SGD(-0.1), ValueError, "learning_rate must be a number from 0 on, not -0.1"),
        (lambda: optimizers.Adam(learning_rate=float("nan")), ValueError, "learning_rate must be a number"),
        (lambda: optimizers.Adam("fast"), TypeError, "learning_rate must be a number, not 'fast'"),
        (lambda: optimizers.Adam(lambda: 0.1), TypeError, "must be a number or a numlstm.schedules"),
        (lambda: optimizers.Adam(beta_1=1.0), ValueError, "beta_1 must be from 0 to below 1"),
        (lambda: optimizers.Nadam(beta_2=-1), ValueError, "beta_2 must be from 0 to below 1"),
        (lambda: optimizers.RMSprop(momentum=1), ValueError, "momentum must be from 0 to below 1"),
        (lambda: optimizers.RMSprop(centered=1), TypeError, "centered must be True or False"),
        (lambda: optimizers.Adam(global_clipnorm=-1), ValueError, "global_clipnorm must be a positive number"),
        (lambda: optimizers.Adam(clipnorm=0), ValueError, "clipnorm must be a positive number"),
        (lambda: optimizers.SGD(clipnorm=1, clipvalue=1), ValueError, "only one of clipnorm, clipvalue"),
        (lambda: optimizers.SGD(weight_decay=-1), ValueError, "weight_decay must be a number from 0 on"),
        (lambda: optimizers.AdamW(weight_decay=None), TypeError, "weight_decay must be a number, not None"),
        (lambda: optimizers.Adam(lr=0.1), TypeError, "lr=0.1 is not supported: its name is learning_rate"),
        (lambda: optimizers.SGD(decay=0.1), TypeError, "decay=0.1 is not supported: give a schedule"),
        (lambda: optimizers.Adam(use_ema=True), TypeError, "use_ema=True is not supported: average the weights"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=4), TypeError, "take larger batches"),
        (lambda: optimizers.Adam(rho=0.1), TypeError, "no argument 'rho'"),
        (lambda: optimizers.Adam().exclude_from_weight_decay(["kernel"]), TypeError, "name the variables"),
        (lambda: optimizers.Adam().exclude_from_weight_decay(var_names="bias"), TypeError, "a list of strings"),
        (lambda: optimizers.Adam().exclude_from_weight_decay(var_names=["("]), ValueError, "no regular expression"),
        (lambda: optimizers.Adam().exclude_from_weight_decay(var_names=["(a+)+$"]), ValueError, "repeats a group"),
        (lambda: optimizers.Adam().exclude_from_weight_decay(var_names=["(?x)(a+) +$"]), ValueError, "repeats a group"),
        (
            lambda: optimizers.get("adagrad"),
            ValueError,
            "optimizer must be one of 'adam', 'adamw', 'nadam', 'rmsprop', 'sgd', not 'adagrad'",
        ),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_file_with_a_foreign_schedule_is_refused():
    with pytest.raises(ValueError, match="a schedule must be one of"):
        optimizers.Adam.from_config({"learning_rate": {"class_name": "os.system", "config": {}}})


def test_none_is_no_optimizer():
    assert optimizers.get(None) is None
    with pytest.raises(ValueError, match=r"^optimizer must be an optimizer or its name, such as 'adam', not None"):
        small_model(None)
