"""Sequential: the script of the README, training, evaluation, prediction, saving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import numlstm
from numlstm import Sequential, losses, optimizers
from numlstm.callbacks import Callback
from numlstm.layers import LSTM, Dense


def windows(series, length=10):
    x = np.lib.stride_tricks.sliding_window_view(series, length)[:-1, :, None]
    return x, series[length:]


def noisy_sine(seed, points=1000):
    time = np.linspace(0, 50, points)
    return windows(np.sin(time) + np.random.default_rng(seed).normal(scale=0.1, size=points))


def small_model(dtype="float32", loss="mse", optimizer="adam"):
    model = Sequential([LSTM(17, input_shape=(10, 1), dtype=dtype), Dense(1, dtype=dtype)])
    model.compile(optimizer=optimizer, loss=loss)
    return model


@pytest.fixture
def data():
    return noisy_sine(0, points=110)


def assert_same(actual, expected):
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_script_of_the_readme_runs():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in readme.split("```python\n")[1:]]
    (script,) = (block for block in blocks if "from numlstm import Sequential" in block and "x_data" in block)
    (data,) = (block for block in blocks if "x_data =" in block)
    assert len((data + script).splitlines()) <= 20
    imports, rest = script.split("\n\n", 1)
    found = {}
    exec(compile("\n".join([imports, data, rest]), "README.md", "exec"), found)
    assert found["history"].history["loss"][-1] < 0.05
    assert found["predicted"].shape == (990, 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_sine_script_learns_as_keras_does(seed):
    numlstm.set_seed(seed)
    x_data, y_data = noisy_sine(seed)
    assert x_data.shape == (990, 10, 1)
    assert y_data.shape == (990,)

    model = Sequential()
    model.add(LSTM(units=50, return_sequences=False, input_shape=(10, 1)))
    model.add(Dense(units=1))
    model.compile(optimizer="adam", loss="mean_squared_error")
    history = model.fit(x_data, y_data, epochs=10, batch_size=32, verbose=0)
    predicted = model.predict(x_data)

    assert predicted.shape == (990, 1)
    assert len(history.history["loss"]) == 10
    assert 0.012 <= history.history["loss"][-1] <= 0.019
    assert np.mean((predicted[:, 0] - y_data) ** 2) < 0.019


# fit


def test_train_on_batch_is_one_step_of_fit(data, dtype):
    x, y = data[0][:32], data[1][:32]
    fitted, stepped = small_model(dtype), small_model(dtype)
    stepped.set_weights(fitted.get_weights())
    history = fitted.fit(x, y, epochs=3, batch_size=32, shuffle=False, verbose=0)
    assert [stepped.train_on_batch(x, y) for _ in range(3)] == history.history["loss"]
    assert_same(stepped.get_weights(), fitted.get_weights())


def test_an_epoch_takes_all_batches_the_last_one_smaller(data):
    """The loss of an epoch is the mean over samples, not over batches."""
    x, y = data
    assert len(x) % 32 != 0
    fitted, stepped = small_model(), small_model()
    stepped.set_weights(fitted.get_weights())
    history = fitted.fit(x, y, batch_size=32, shuffle=False, verbose=0)
    batches = [(x[n : n + 32], y[n : n + 32]) for n in range(0, len(x), 32)]
    total = sum(stepped.train_on_batch(*batch) * len(batch[0]) for batch in batches)
    assert history.history["loss"][0] == pytest.approx(total / len(x), rel=1e-6)
    assert_same(stepped.get_weights(), fitted.get_weights())


def test_shuffling_draws_a_new_order_for_every_epoch(data):
    """With a learning rate of next to nothing, an epoch's loss does not depend on the order, but its batches do."""
    x, y = data

    class Losses(Callback):
        def __init__(self):
            self.first = []

        def on_train_batch_end(self, batch, logs=None):
            if batch == 0:
                self.first.append(logs["loss"])

    def first_losses(shuffle):
        numlstm.set_seed(0)
        model, seen = small_model(optimizer=optimizers.SGD(learning_rate=1e-30)), Losses()
        history = model.fit(x, y, epochs=3, batch_size=16, shuffle=shuffle, verbose=0, callbacks=[seen])
        np.testing.assert_allclose(history.history["loss"], history.history["loss"][0], rtol=1e-5)
        return seen.first

    assert len(set(first_losses(shuffle=True))) == 3
    assert len(set(first_losses(shuffle=False))) == 1


def test_validation_takes_the_last_samples_and_does_not_train_on_them(data):
    x, y = data
    held = len(x) // 4
    split, given = small_model(), small_model()
    given.set_weights(split.get_weights())
    first = split.fit(x, y, epochs=2, validation_split=0.25, shuffle=False, verbose=0)
    validation = x[-held:], y[-held:]
    second = given.fit(x[:-held], y[:-held], epochs=2, validation_data=validation, shuffle=False, verbose=0)
    assert first.history == second.history
    assert_same(split.get_weights(), given.get_weights())
    assert first.history["val_loss"][-1] == pytest.approx(split.evaluate(*validation, verbose=0), rel=1e-6)
    assert first.epoch == [0, 1]


def test_fit_goes_on_where_it_stopped(data):
    x, y = data
    whole, parts = small_model(), small_model()
    parts.set_weights(whole.get_weights())
    whole.fit(x, y, epochs=4, shuffle=False, verbose=0)
    parts.fit(x, y, epochs=3, shuffle=False, verbose=0)
    history = parts.fit(x, y, epochs=4, initial_epoch=3, shuffle=False, verbose=0)
    assert history.epoch == [3]
    assert_same(parts.get_weights(), whole.get_weights())


def test_an_interrupt_leaves_whole_steps(data):
    x, y = data

    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 6:
                raise KeyboardInterrupt

    model, expected = small_model(), small_model()
    expected.set_weights(model.get_weights())
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, epochs=5, batch_size=25, shuffle=False, verbose=0, callbacks=[Interrupt()])
    assert len(x) == 100
    assert model.history.epoch == [0]
    for n in (0, 25, 50, 75, 0, 25):
        expected.train_on_batch(x[n : n + 25], y[n : n + 25])
    assert_same(model.get_weights(), expected.get_weights())
    np.testing.assert_array_equal(model.predict(x), expected.predict(x))


@pytest.mark.parametrize("target_shape", [(100,), (100, 1)], ids=str)
def test_a_last_axis_of_one_may_be_left_out(data, target_shape):
    x, y = data
    model = small_model()
    loss = model.evaluate(x, y.reshape(target_shape), verbose=0)
    assert loss == pytest.approx(np.mean((model.predict(x)[:, 0] - y) ** 2), rel=1e-5)


def test_a_sequence_for_a_target(data):
    x, _ = data
    model = Sequential([LSTM(7, return_sequences=True), Dense(2)])
    model.compile(optimizer="sgd", loss="mse")
    target = np.random.default_rng(0).normal(size=(100, 10, 2))
    model.fit(x, target, epochs=1, verbose=0)
    error = model.predict(x) - target
    assert model.evaluate(x, target, verbose=0) == pytest.approx(np.mean(error**2), rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "formula"),
    [
        ("mse", lambda e: np.mean(e**2)),
        ("mean_squared_error", lambda e: np.mean(e**2)),
        ("mae", lambda e: np.mean(np.abs(e))),
        (losses.Huber(delta=0.1), lambda e: np.mean(np.where(abs(e) <= 0.1, e**2 / 2, 0.1 * (abs(e) - 0.05)))),
    ],
    ids=["mse", "mean_squared_error", "mae", "huber"],
)
def test_evaluate_is_the_loss_of_predict(data, loss, formula):
    x, y = data
    model = small_model(loss=loss)
    expected = formula(model.predict(x)[:, 0].astype("float64") - y)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.evaluate(x, y, batch_size=7, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert model.test_on_batch(x, y) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_every_optimizer_learns(data, optimizer):
    x, y = data
    history = small_model(optimizer=optimizer).fit(x, y, epochs=10, verbose=0)
    assert history.history["loss"][-1] < 0.9 * history.history["loss"][0]


def test_the_learning_rate_can_be_changed_on_the_way(data):
    x, y = data
    model = small_model(optimizer=optimizers.SGD(learning_rate=0.1))
    model.train_on_batch(x, y)
    before = model.get_weights()
    model.optimizer.learning_rate = 1e-30
    model.train_on_batch(x, y)
    assert_same(model.get_weights(), before)
    model.optimizer.learning_rate = 0.1
    model.train_on_batch(x, y)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_nan_in_the_data_shows_in_the_loss(data):
    x, y = data[0].copy(), data[1]
    x[3, 2, 0] = np.nan
    assert np.isnan(small_model().evaluate(x, y, verbose=0))


# predict, build, summary, save


def test_predict_needs_no_compile_and_no_input_shape(data):
    model = Sequential([LSTM(7), Dense(2)])
    assert model.predict(data[0]).shape == (100, 2)
    assert model.predict(data[0][:0]).shape == (0, 2)
    np.testing.assert_array_equal(model(data[0]), model.predict(data[0]))


def test_a_model_takes_over_layers_as_they_are(data):
    """Weights keep their values when they move into the buffers of the model."""
    x = data[0].astype("float32")
    first, second = LSTM(7), Dense(2)
    expected = second(first(x))
    model = Sequential([first, second])
    np.testing.assert_array_equal(model.predict(x), expected)
    assert_same(model.get_weights(), first.get_weights() + second.get_weights())


def test_summary_counts(capsys):
    model = Sequential([LSTM(50, return_sequences=True, input_shape=(10, 1)), LSTM(7), Dense(2)])
    model.summary()
    text = capsys.readouterr().out
    for word in ("LSTM", "Dense", "(None, 10, 50)", "(None, 7)", "(None, 2)", "10,400", "1,624", "16", "12,040"):
        assert word in text
    assert model.count_params() == 12040


def test_a_saved_model_predicts_the_same_bits_and_trains_on(data, dtype, tmp_path):
    x, y = data
    model = small_model(dtype, loss="mae")
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    assert_same(loaded.get_weights(), model.get_weights())
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    loaded.fit(x, y, verbose=0)


def test_a_loaded_model_keeps_the_options_of_its_layers(data, tmp_path):
    x = data[0]
    options = {"use_bias": False, "go_backwards": True, "return_sequences": True}
    model = Sequential([LSTM(7, **options), LSTM(5, unit_forget_bias=False), Dense(2, use_bias=False)])
    expected = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), expected)
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]


# Refusals


def test_wrong_data_is_refused_and_changes_nothing(data):
    x, y = data
    model = small_model()
    before = model.get_weights()
    for wrong_x, wrong_y, error, words in [
        (x, y[:-1], ValueError, "99"),
        (x[:, :, 0], y, ValueError, r"\(100, 10\)"),
        (np.concatenate([x, x], axis=2), y, ValueError, r"\(\w+, 10, 2\)"),
        (x, np.zeros((100, 2)), ValueError, r"\(100, 2\)"),
        (x, np.zeros((100, 10, 1)), ValueError, r"\(100, 10, 1\)"),
        (x.astype(complex), y, TypeError, "complex"),
        (x, y.astype(complex), TypeError, "complex"),
    ]:
        for call in (model.fit, model.train_on_batch, model.evaluate, model.test_on_batch):
            with pytest.raises(error, match=words):
                call(wrong_x, wrong_y)
    assert_same(model.get_weights(), before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epochs": -1}, "epochs.*-1"),
        ({"batch_size": -5}, "batch_size.*-5"),
        ({"validation_split": 1.5}, "validation_split.*1.5"),
    ],
    ids=str,
)
def test_wrong_arguments_of_fit(data, arguments, words):
    with pytest.raises(ValueError, match=words):
        small_model().fit(*data, verbose=0, **arguments)


def test_return_dict_is_checked(data):
    model = small_model()
    for call in (model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(TypeError, match="return_dict must be True or False, not 'no'"):
            call(*data, return_dict="no")


def test_training_needs_compile(data):
    model = Sequential([LSTM(7, input_shape=(10, 1)), Dense(1)])
    for call in (model.fit, model.train_on_batch, model.evaluate):
        with pytest.raises(ValueError, match="compile"):
            call(*data)


def test_weights_of_a_model_that_do_not_fit(data):
    model = small_model()
    before = model.get_weights()
    wrong = [w + 1 for w in before]
    wrong[-1] = np.zeros(3)
    for weights, words in ((before[:-1], "4"), (wrong, r"\(3,\)")):
        with pytest.raises(ValueError, match=words):
            model.set_weights(weights)
        assert_same(model.get_weights(), before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"loss": "nonsense"}, "nonsense"),
        ({"optimizer": "nonsense"}, "nonsense"),
        ({"device": "tpu"}, "tpu"),
        ({"metrics": ["nonsense"]}, "nonsense"),
        ({"loss_weights": [2.0]}, "loss_weights"),
        ({"run_eagerly": True}, "run_eagerly"),
        ({"steps_per_execution": 4}, "steps_per_execution.*4"),
    ],
    ids=str,
)
def test_wrong_arguments_of_compile(arguments, words):
    with pytest.raises(ValueError, match=words):
        Sequential([LSTM(3, input_shape=(10, 1))]).compile(**arguments)


def test_layers_that_do_not_fit_together():
    layer = LSTM(3, input_shape=(10, 1))
    Sequential([layer])
    with pytest.raises(ValueError, match=layer.name):
        Sequential([layer])
    with pytest.raises(ValueError, match="float64"):
        Sequential([LSTM(3), Dense(1, dtype="float64")])
    with pytest.raises(ValueError, match=r"\(None, 3\)"):
        Sequential([LSTM(3, input_shape=(10, 1)), LSTM(3)])
    with pytest.raises(ValueError, match="layer"):
        Sequential().predict(np.zeros((1, 1, 1)))
