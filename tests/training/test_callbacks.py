"""Callbacks: each by what it does to a training, and against Keras where that is there."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from witness import witness

from numlstm import Sequential, callbacks, load_model, optimizers, schedules
from numlstm.layers import Dense

X, Y = np.random.default_rng(0).normal(size=(2, 20, 3))


def model(optimizer=None):
    made = Sequential([Dense(3, input_shape=(3,))])
    made.compile(optimizer or optimizers.SGD(0.5), "mse")
    return made


class Logs(callbacks.Callback):
    """Says what the numbers of each epoch are, whatever they were."""

    def __init__(self, **numbers):
        self.numbers = numbers

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.numbers.items()})


def fit(*hooks, made=None, epochs=3, **options):
    made = made or model()
    return made.fit(X, Y, batch_size=10, epochs=epochs, verbose=0, callbacks=list(hooks), **options)


# The base


HOOKS = [name for name in dir(callbacks.Callback) if name.startswith("on_")]


def test_all_of_keras_hooks_are_there():
    begins_and_ends = {f"on_{what}_{when}" for what in ("train", "test", "predict") for when in ("begin", "end")}
    batches = {f"on_{what}batch_{when}" for what in ("", "train_", "test_", "predict_") for when in ("begin", "end")}
    assert set(HOOKS) == begins_and_ends | batches | {"on_epoch_begin", "on_epoch_end"}
    for name in HOOKS:
        arguments = (0,) if "batch" in name or "epoch" in name else ()
        assert getattr(callbacks.Callback(), name)(*arguments, logs=None) is None


def test_who_listens_to_what():
    assert not any(callbacks.Callback().listens(name) for name in HOOKS)

    class Older(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            pass

    made = callbacks.LambdaCallback(on_test_end=print, on_epoch_end=None)
    assert [name for name in HOOKS if made.listens(name)] == ["on_test_end"]
    assert [name for name in HOOKS if Older().listens(name)] == ["on_batch_end", "on_train_batch_end"]
    assert callbacks.ModelCheckpoint("a", save_freq=2).listens("on_train_batch_end")
    assert not callbacks.ModelCheckpoint("a").listens("on_train_batch_end")


def test_hooks_made_of_functions():
    calls = []
    hook = callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("begin"),
        on_epoch_begin=lambda epoch, logs: calls.append(f"epoch {epoch}"),
        on_train_batch_begin=lambda batch, logs: calls.append(f"before {batch}"),
        on_train_batch_end=lambda batch, logs: calls.append(f"after {batch} {sorted(logs)}"),
        on_epoch_end=lambda epoch, logs: calls.append(sorted(logs)),
        on_train_end=lambda logs: calls.append(f"end {sorted(logs)}"),
    )
    history = fit(hook, epochs=1)
    batches = [call for batch in range(2) for call in (f"before {batch}", f"after {batch} ['loss']")]
    assert calls == ["begin", "epoch 0", *batches, ["loss"], "end ['loss']"]
    assert hook.params == history.params == {"verbose": 0, "epochs": 1, "steps": 2, "metrics": ["loss"]}


def test_keras_older_names_are_called():
    class Older(callbacks.Callback):
        calls = 0

        def on_batch_begin(self, batch, logs=None):
            self.calls += 1

        def on_batch_end(self, batch, logs=None):
            self.calls += 100

    hook = Older()
    fit(hook, epochs=1)
    assert hook.calls == 202


@pytest.mark.parametrize(
    ("hooks", "message"),
    [({"on_epoch_over": print}, "there is no hook 'on_epoch_over', only on_"), ({"on_epoch_end": 3}, "a function")],
    ids=str,
)
def test_functions_are_checked(hooks, message):
    with pytest.raises(TypeError, match=message):
        callbacks.LambdaCallback(**hooks)


def test_the_history_holds_what_callbacks_add():
    history = fit(Logs(extra=[5, 6, 7]))
    assert history.history["extra"] == [5, 6, 7]
    assert len(history.history["loss"]) == 3


# What is better


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("loss", "min"), ("val_loss", "min"), ("val_mean_absolute_error", "min"), ("mse", "min"),
        ("binary_crossentropy", "min"), ("perplexity", "min"), ("val_accuracy", "max"), ("acc", "max"), ("auc", "max"),
        ("val_MeanAbsoluteError", "min"), ("RMSE", "min"), ("TopKCategoricalAccuracy", "max"),
        ("val_sparse_top_k_categorical_accuracy", "max"),
    ],
)  # fmt: skip
def test_the_mode_follows_from_the_name(name, mode):
    for cls in (callbacks.EarlyStopping, callbacks.ReduceLROnPlateau):
        assert cls(name).mode == mode
    assert callbacks.ModelCheckpoint("path", name, save_best_only=True).mode == mode


def test_a_name_that_tells_nothing():
    with pytest.raises(ValueError, match="cannot tell what is better for 'goodness'"):
        callbacks.EarlyStopping("goodness")
    assert callbacks.EarlyStopping("goodness", mode="max").mode == "max"
    callbacks.ModelCheckpoint("path", "goodness")
    with pytest.raises(ValueError, match="mode must be 'auto', 'min' or 'max', not 'best'"):
        callbacks.EarlyStopping(mode="best")


# EarlyStopping: more in test_progress.py


def test_waiting_goes_on_below_the_baseline():
    values = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    stop = callbacks.EarlyStopping("val_accuracy", patience=2, baseline=0.9)
    assert len(fit(Logs(val_accuracy=values), stop, epochs=6).epoch) == 6
    values = [0.1, 0.2, 0.3, 0.3, 0.5, 0.6]
    assert len(fit(Logs(val_accuracy=values), stop, epochs=6).epoch) == 4


def test_going_back_is_told(capsys):
    stop = callbacks.EarlyStopping(patience=1, restore_best_weights=True, verbose=1)
    fit(Logs(val_loss=[2, 1, 3]), stop)
    assert capsys.readouterr().out == "Epoch 3: early stopping\nGoing back to the weights of epoch 2\n"


def sequences(count=40):
    random = np.random.default_rng(5)
    for _ in range(count):
        # Quarters, which no rounding moves across a limit.
        yield random, np.round(4 * np.cumsum(random.normal(size=30))) / 4


def test_early_stopping_is_keras():
    keras = witness("keras")
    for random, values in sequences():
        options = {
            "patience": int(random.integers(5)), "min_delta": random.choice([0.0, 0.5]),
            "start_from_epoch": int(random.integers(4)), "baseline": random.choice([None, 0.0]),
            "mode": random.choice(["min", "max"]), "restore_best_weights": True,
        }  # fmt: skip
        found = []
        for module in (callbacks, keras.callbacks):
            state = SimpleNamespace(stop_training=False, epoch=0, restored=None)
            state.get_weights = lambda state=state: state.epoch
            state.set_weights = lambda weights, state=state: setattr(state, "restored", weights)
            stop = module.EarlyStopping(**options)
            stop.set_model(state)
            stop.on_train_begin()
            for state.epoch, value in enumerate(values):
                stop.on_epoch_end(state.epoch, {"val_loss": value})
                if state.stop_training:
                    break
            stop.on_train_end()
            found.append((state.epoch, state.restored, stop.stopped_epoch, stop.best_epoch, stop.best, stop.wait))
        assert found[0] == found[1], options


# Learning rates


def test_the_rate_is_lowered_on_a_plateau(capsys):
    made = model()
    values = [5, 4, 4, 4, 4, 4, 4, 4, 3, 3]
    plateau = callbacks.ReduceLROnPlateau(factor=0.5, patience=2, cooldown=1, min_lr=0.2, verbose=1)
    history = fit(Logs(val_loss=values), plateau, made=made, epochs=10)
    assert history.history["learning_rate"] == [0.5] * 4 + [0.25] * 2 + [0.2] * 4
    assert made.optimizer.learning_rate == 0.2
    assert capsys.readouterr().out.splitlines() == [
        f"Epoch {epoch}: the learning rate is lowered to {rate}" for epoch, rate in ((4, 0.25), (6, 0.2))
    ]


def test_the_lowered_rate_is_what_steps_take():
    """A factor of 0: the weights stay from then on."""
    made, weights = model(), []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(made.get_weights()[0]))
    fit(Logs(val_loss=[1, 1, 1, 1]), callbacks.ReduceLROnPlateau(factor=0, patience=1), keep, made=made, epochs=4)
    assert not np.array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[1], weights[3])


def test_reducing_is_keras():
    keras = witness("keras")
    for random, values in sequences():
        options = {
            "patience": int(random.integers(4)), "min_delta": random.choice([0.0, 0.5]), "factor": 0.5,
            "cooldown": int(random.integers(3)), "min_lr": 0.01, "mode": random.choice(["min", "max"]),
        }  # fmt: skip
        rates = []
        for module, cls in ((callbacks, optimizers.SGD), (keras.callbacks, keras.optimizers.SGD)):
            hook, state = module.ReduceLROnPlateau(**options), SimpleNamespace(optimizer=cls(0.5))
            hook.set_model(state)
            hook.on_train_begin()
            rates.append([])
            for epoch, value in enumerate(values):
                hook.on_epoch_end(epoch, {"val_loss": value})
                rates[-1].append(float(state.optimizer.learning_rate))
        np.testing.assert_allclose(*rates, rtol=1e-6, err_msg=str(options))


@pytest.mark.parametrize("schedule", [lambda epoch, rate: rate / 2, lambda epoch: 0.5 ** (epoch + 2)])
def test_a_rate_for_every_epoch(schedule, capsys):
    made = model()
    history = fit(callbacks.LearningRateScheduler(schedule, verbose=1), made=made)
    assert history.history["learning_rate"] == [0.25, 0.125, 0.0625]
    assert capsys.readouterr().out.splitlines()[1] == "Epoch 2: the learning rate is set to 0.125"


def test_no_callback_sets_the_rate_that_a_schedule_rules():
    made = model(optimizers.SGD(schedules.ExponentialDecay(0.1, 10, 0.5)))
    with pytest.raises(TypeError, match="ExponentialDecay rules it"):
        fit(callbacks.LearningRateScheduler(lambda epoch: 0.1), made=made)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: callbacks.ReduceLROnPlateau(factor=1.0), ValueError, "factor must be from 0 to below 1, not 1.0"),
        (lambda: callbacks.ReduceLROnPlateau(patience=-1), ValueError, "patience must be at least 0"),
        (lambda: callbacks.ReduceLROnPlateau(min_lr=-1), ValueError, "min_lr must be a number from 0 on"),
        (lambda: callbacks.LearningRateScheduler(0.1), TypeError, "schedule must be a function"),
        (lambda: fit(callbacks.LearningRateScheduler(lambda e: "1")), TypeError, "learning rate must be a number"),
        (lambda: fit(callbacks.LearningRateScheduler(lambda e: -1)), ValueError, "learning rate must be a number from"),
        (lambda: callbacks.ModelCheckpoint("a", save_weights_only=1), TypeError, "save_weights_only must be True or"),
        (lambda: callbacks.ModelCheckpoint("{epoch}.keras"), ValueError, r"so name it \{epoch\}\.safetensors"),
        (
            lambda: callbacks.ModelCheckpoint("a.weights.h5", save_weights_only=True),
            ValueError,
            r"so name it a\.weights\.safetensors",
        ),
        (
            lambda: fit(callbacks.ModelCheckpoint("{}")),
            ValueError,
            "filepath '{}' cannot be filled in with {'epoch': 1",
        ),
        (lambda: fit(callbacks.ModelCheckpoint("{loss:d}")), ValueError, "filepath '{loss:d}' cannot be filled in"),
        (
            lambda: callbacks.ModelCheckpoint("a", save_freq="batch"),
            ValueError,
            "save_freq must be 'epoch' or a number",
        ),
        (lambda: callbacks.ModelCheckpoint("a", save_freq=0), ValueError, "save_freq must be at least 1"),
        (lambda: callbacks.EarlyStopping(3), TypeError, "monitor must be the name of a number in the logs, not 3"),
        (lambda: callbacks.EarlyStopping(min_delta="x"), TypeError, "min_delta must be a number, not 'x'"),
        (lambda: callbacks.EarlyStopping(baseline="x"), TypeError, "baseline must be a number, not 'x'"),
        (
            lambda: callbacks.ModelCheckpoint("a", initial_value_threshold="x"),
            TypeError,
            "initial_value_threshold must be a number, not 'x'",
        ),
        (lambda: callbacks.CSVLogger("a", separator=""), ValueError, "separator must be one character, not ''"),
        (lambda: callbacks.TerminateOnNaN(1), TypeError, "raise_error must be True or False"),
        (lambda: callbacks.ModelCheckpoint("a", save_best_only="a"), TypeError, "save_best_only must be True or"),
        # Now, and not when the epoch is over in which there is something to say.
        (lambda: callbacks.ModelCheckpoint("a", verbose="1"), TypeError, "verbose must be an integer, not '1'"),
        (lambda: callbacks.EarlyStopping(verbose=None), TypeError, "verbose must be an integer, not None"),
        (lambda: callbacks.ReduceLROnPlateau(verbose=-1), ValueError, "verbose must be at least 0, not -1"),
        (lambda: callbacks.LearningRateScheduler(len, verbose=1.5), TypeError, "verbose must be an integer, not 1.5"),
    ],
)
def test_arguments_are_checked(make, error, message):
    with pytest.raises(error, match=message):
        make()


# Ends


def test_a_loss_that_is_no_number_ends_the_epoch_at_once(capsys):
    x = X.copy()
    x[10:] = np.nan
    made, batches = model(), []
    count = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(logs["loss"]))
    history = made.fit(
        np.concatenate([x, x]), np.concatenate([Y, Y]), batch_size=10, epochs=5, shuffle=False, verbose=0,
        callbacks=[callbacks.TerminateOnNaN(), count],
    )  # fmt: skip
    assert [math.isnan(loss) for loss in batches] == [False, True]
    assert history.epoch == [0]
    assert capsys.readouterr().out == "Epoch 1, step 2: the loss is nan, the training ends\n"
    with pytest.raises(RuntimeError, match="the loss is nan at step 1 of epoch 1"):
        made.fit(x, Y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_the_history_names_the_steps_between_two_looks_at_the_loss():
    x = np.concatenate([X[:10]] * 6)
    x[30:] = np.nan

    class Look(callbacks.Callback):
        def __init__(self, steps):
            self.steps = steps

        def listens(self, hook):
            return hook in self.steps

        def on_epoch_end(self, epoch, logs=None):
            self.found = self.model.history.not_finite

    for steps, found in (((), (1, 6)), (("on_train_batch_end",), (4, 4))):
        look = Look(steps)
        model().fit(x, np.zeros((60, 3)), batch_size=10, epochs=1, shuffle=False, verbose=0, callbacks=look)
        assert look.found == found
    look = Look(())
    model().fit(x[:30], np.zeros((30, 3)), epochs=1, verbose=0, callbacks=look)
    assert look.found is None


# Records


def test_a_row_for_every_epoch(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path, separator=";")
    fit(Logs(loss=[3, 2, 1], val_loss=[0.5, 0.25, 0.125]), logger)
    assert path.read_text().split() == ["epoch;loss;val_loss", "0;3;0.5", "1;2;0.25", "2;1;0.125"]
    # Another training begins anew, and one that appends goes on below, with the names that stand there.
    fit(Logs(loss=[4]), logger, epochs=1)
    assert path.read_text().split() == ["epoch;loss", "0;4"]
    fit(
        Logs(loss=[0, 9, 8], val_loss=[0, 7, 6]), callbacks.CSVLogger(path, ";", append=True), epochs=3, initial_epoch=1
    )
    assert path.read_text().split() == ["epoch;loss", "0;4", "1;9", "2;8"]
    path.unlink()
    fit(Logs(loss=[1]), callbacks.CSVLogger(path, append=True), epochs=1)
    assert path.read_text().split() == ["epoch,loss", "0,1"]


def test_what_only_some_epochs_have_is_in_the_file(tmp_path):
    """As in Keras: the first row decides about the columns, and validation comes later."""
    path, made = tmp_path / "log.csv", model()
    made.compile("sgd", "mse", metrics=["mae"])
    history = fit(callbacks.CSVLogger(path), made=made, epochs=4, validation_split=0.3, validation_freq=2).history
    header, *rows = [line.split(",") for line in path.read_text().split()]
    assert header == ["epoch", "loss", "mae", "val_loss", "val_mae"]
    assert [row[3:] for row in rows[::2]] == [["NA", "NA"]] * 2
    assert [float(row[3]) for row in rows[1::2]] == history["val_loss"]


def test_a_row_is_in_the_file_when_its_epoch_is_over(tmp_path):
    path, seen = tmp_path / "log.csv", []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(len(path.read_text().splitlines())))
    fit(callbacks.CSVLogger(path), look)
    assert seen == [2, 3, 4]


def test_a_model_for_every_epoch(tmp_path):
    made, weights = model(), []
    keep = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(made.get_weights()[0]))
    save = callbacks.ModelCheckpoint(tmp_path / "runs" / "{epoch:02d}-{val_loss:.2f}.safetensors")
    fit(Logs(val_loss=[0.5, 0.25, 0.125]), keep, save, made=made)
    names = ["01-0.50", "02-0.25", "03-0.12"]
    assert sorted(path.stem for path in (tmp_path / "runs").iterdir()) == names
    for name, expected in zip(names, weights, strict=True):
        loaded = load_model(tmp_path / "runs" / f"{name}.safetensors")
        np.testing.assert_array_equal(loaded.get_weights()[0], expected)


def test_weights_for_every_epoch(tmp_path, capsys):
    made = model()
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.safetensors", save_weights_only=True, verbose=1)
    fit(save, made=made, epochs=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}.weights.safetensors" for n in (1, 2)]
    again = model()
    again.load_weights(tmp_path / "2.weights.safetensors")
    np.testing.assert_array_equal(again.predict(X), made.predict(X))
    assert "Epoch 2: the weights are saved to " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "values", "saved"),
    [
        ({}, [3, 4, 2, 2, 5], [1, 3]),
        ({"mode": "max"}, [3, 4, 2, 2, 5], [1, 2, 5]),
        ({"monitor": "accuracy"}, [3, np.nan, 2, 4, 5], [1, 4, 5]),
        ({"initial_value_threshold": 2.5}, [3, 4, 2, 2, 5], [3]),
        ({}, [np.nan, 4, np.nan, 3, 5], [2, 4]),
    ],
    ids=str,
)
def test_only_the_best_models(tmp_path, capsys, options, values, saved):
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True, verbose=1, **options)
    fit(Logs(**{save.monitor: values}), save, epochs=5)
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == saved
    lines = [f"Epoch {epoch}: the model is saved to {tmp_path / str(epoch)}" for epoch in saved]
    assert capsys.readouterr().out.splitlines() == lines


def test_the_best_model_without_its_number(tmp_path):
    with pytest.warns(UserWarning, match="ModelCheckpoint monitors 'val_loss', but there is only: loss"):
        fit(callbacks.ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True), epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_model_after_so_many_steps(tmp_path):
    """Two steps an epoch, a model after every third."""
    fit(callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=3), epochs=6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2-1", "3-2", "5-1", "6-2"]


def test_a_path_that_asks_for_what_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"asks for 'val_loss', but there is only: epoch, loss"):
        fit(callbacks.ModelCheckpoint(tmp_path / "{val_loss}"))


@pytest.mark.parametrize("where", ["evaluate", "fit"])
def test_a_callback_ends_an_evaluation(where):
    class Stop(callbacks.Callback):
        batches = 0

        def on_test_batch_end(self, batch, logs=None):
            self.batches += 1
            self.model.stop_evaluating = batch == 1

    stop, made = Stop(), model()
    if where == "fit":
        made.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), validation_batch_size=2, callbacks=stop)
        assert stop.batches == 4
    else:
        assert made.evaluate(X, Y, 2, verbose=0, callbacks=stop) == made.evaluate(X[:4], Y[:4], verbose=0)


def test_a_callback_ends_a_prediction():
    class Stop(callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    made = model()
    assert len(made.predict(X, 2, callbacks=Stop())) == 4
    assert len(made.predict(X, 2)) == len(made.predict(X, 2, callbacks=callbacks.Callback())) == len(X)


def test_a_callback_of_functions_has_attributes():
    assert callbacks.LambdaCallback(custom=3).custom == 3
    for name in ("on_epoch_ends", "params"):
        with pytest.raises(TypeError, match=f"^there is no hook '{name}'"):
            callbacks.LambdaCallback(**{name: 3})
