"""Model files: what comes back, and that nothing damaged or foreign does."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

import numlstm
from numlstm import Sequential, losses, metrics, optimizers, schedules
from numlstm.formats import tensors as files
from numlstm.formats.tensors import ModelFileError
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, Dropout, SimpleRNN, TimeDistributed
from numlstm.saved import PlainData

X = np.random.default_rng(0).normal(size=(6, 5, 2))


def small_model(**options):
    return Sequential([LSTM(3, input_shape=(5, 2), **options), Dense(1)])


def test_metrics_come_back(tmp_path):
    path = tmp_path / "model.safetensors"
    model = small_model()
    model.compile(metrics=["mae", metrics.BinaryAccuracy(threshold=0.3)], weighted_metrics="accuracy")
    y, weights = X[:, 0, 0] > 0, np.arange(6)
    model.save(path)
    loaded = numlstm.load_model(path)
    assert loaded.evaluate(X, y, sample_weight=weights, verbose=0, return_dict=True) == model.evaluate(
        X, y, sample_weight=weights, verbose=0, return_dict=True
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "model.safetensors"
    small_model().save(path)
    return path


def test_files_of_one_model_are_the_same_bytes(tmp_path):
    model, contents = small_model(name="é"), set()
    for number in range(8):
        model.save(tmp_path / f"{number}.safetensors")
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1
    (content,) = contents
    assert int.from_bytes(content[:8], "little") % 8 == 0  # Tensors begin where the processor likes them to.
    assert len(from_bytes(content)) == len(model.get_weights())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_round_trip(tmp_path, dtype):
    path = tmp_path / "model.safetensors"
    model = Sequential(name="mine")
    model.add(
        LSTM(
            3, return_sequences=True, input_shape=(None, 2), dtype=dtype, recurrent_initializer="glorot_normal",
            unit_forget_bias=False,
        )
    )  # fmt: skip
    model.add(LSTM(4, go_backwards=True, use_bias=False, dtype=dtype, name="backwards"))
    model.add(Dense(2, use_bias=False, dtype=dtype))
    model.save(path)
    loaded = numlstm.load_model(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.name == "mine"
    assert loaded.input_shape == (None, None, 2)
    assert [layer.get_config() for layer in loaded.layers] == [layer.get_config() for layer in model.layers]
    assert loaded.optimizer is None


def test_compiled_model_can_go_on(tmp_path):
    path = tmp_path / "model.safetensors"
    model = small_model()
    model.compile(optimizers.RMSprop(0.01, rho=0.8, global_clipnorm=2.0), losses.Huber(0.5))
    model.fit(X, X[:, 0, 0], verbose=0)
    model.save(path)
    loaded = numlstm.load_model(path)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.loss.get_config() == {"delta": 0.5, "name": "huber_loss"}
    assert not loaded.metrics
    assert loaded.evaluate(X, X[:, 0, 0], verbose=0) == model.evaluate(X, X[:, 0, 0], verbose=0)
    loaded.fit(X, X[:, 0, 0], verbose=0)
    assert numlstm.load_model(path, compile=False).optimizer is None


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(schedules.ExponentialDecay(0.1, 3, 0.5), momentum=0.9),
    "rmsprop": lambda: optimizers.RMSprop(centered=True, momentum=0.5),
    "adam": lambda: optimizers.Adam(amsgrad=True),
    "adamw": lambda: optimizers.AdamW(clipnorm=0.1),
    "nadam": lambda: optimizers.Nadam(),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_goes_on_as_if_it_had_never_ended(tmp_path, name, dtype):
    """To the bit, with what has been dropped and is going to be, and with the optimizer's state."""
    path, options = tmp_path / "model.safetensors", {"shuffle": False, "verbose": 0, "batch_size": 4}
    model = Sequential([
        Dropout(0.2, dtype=dtype, input_shape=(5, 2)),
        Bidirectional(LSTM(3, dropout=0.3, recurrent_dropout=0.2, return_sequences=True, dtype=dtype)),
        TimeDistributed(Dropout(0.1, dtype=dtype)),
        GRU(3, return_sequences=True, recurrent_dropout=0.2, dtype=dtype),
        SimpleRNN(3, recurrent_dropout=0.2, dtype=dtype),
        Dense(1, dtype=dtype),
    ])  # fmt: skip
    model.compile(OPTIMIZERS[name]())
    model.fit(X, X[:, 0, 0], epochs=2, **options)
    model.save(path)
    model.fit(X, X[:, 0, 0], epochs=5, initial_epoch=2, **options)
    # Another save in between, and one without a step since, change nothing.
    for last in (4, 4, 5):
        loaded = numlstm.load_model(path)
        loaded.fit(X, X[:, 0, 0], epochs=last, initial_epoch=loaded.optimizer.iterations // 2, **options)
        loaded.save(path)
    for weight, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert loaded.history.history["loss"] == model.history.history["loss"][-1:]


def test_state_of_other_weights_stays_out(tmp_path):
    path, model = tmp_path / "model.safetensors", small_model()
    model.compile("adam")
    model.fit(X, X[:, 0, 0], verbose=0)
    model.add(Dense(1))
    model.save(path)
    assert numlstm.load_model(path).optimizer.iterations == 0
    other = small_model()
    other.compile(model.optimizer)
    other.save(path)
    assert numlstm.load_model(path).optimizer.iterations == 0


def test_a_file_without_counts_and_state_is_read(saved):
    rewritten(saved, lambda m, d, t: d.pop("steps"))
    numlstm.load_model(saved)


def test_state_that_does_not_fit_is_refused(tmp_path):
    path, model = tmp_path / "model.safetensors", small_model()
    model.compile("adam")
    model.fit(X, X[:, 0, 0], verbose=0)
    model.save(path)
    rewritten(path, lambda m, d, t: t.update({"/optimizer/m": np.zeros(3, "float32")}))
    with pytest.raises(ModelFileError, match="the optimizer's state has shapes"):
        numlstm.load_model(path)


class OwnLayer(Dense):
    pass


class OwnLoss(losses.MeanSquaredError):
    pass


class OwnOptimizer(optimizers.SGD):
    pass


class OwnMetric(metrics.MeanAbsoluteError):
    pass


@pytest.mark.parametrize("own", [{"loss": OwnLoss()}, {"optimizer": OwnOptimizer()}, {"metrics": [OwnMetric()]}])
def test_what_no_file_can_bring_back_is_left_out(tmp_path, own):
    model = small_model()
    model.compile(**own)
    model.fit(X, X[:, 0, 0], verbose=0)
    with pytest.warns(UserWarning, match="Own.* is a class of your own.*so compile it after load_model"):
        model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    assert loaded.optimizer is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_layers_that_no_file_can_bring_back_are_refused(tmp_path):
    model = Sequential([TimeDistributed(OwnLayer(2, name="mine"), input_shape=(5, 2))])
    with pytest.raises(ValueError, match=r"layer 'mine' is of OwnLayer, a class of your own.*save_weights"):
        model.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


# Weights alone


def test_weights_go_into_a_model_with_other_names(tmp_path):
    path, model, other = tmp_path / "a.weights.safetensors", small_model(), small_model()
    model.save_weights(path)
    other.compile("adam")
    other.fit(X, X[:, 0, 0], verbose=0)
    assert other.layers[0].name != model.layers[0].name
    other.load_weights(path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))
    assert other.optimizer.iterations == 1
    model.save(path)
    other = small_model()
    other.load_weights(path)
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_weights_of_another_model(tmp_path):
    path = tmp_path / "a.weights.safetensors"
    small_model().save_weights(path)
    wider, deeper = Sequential([LSTM(4, input_shape=(5, 2)), Dense(1)]), small_model()
    deeper.add(Dense(1))
    for model, words in (
        (wider, r"its lstm\S*/kernel has shape \(2, 12\), but this one's lstm\S*/kernel has \(2, 16\)"),
        (deeper, "it holds 5 weights, but this one has 7"),
    ):
        before = model.predict(X)
        with pytest.raises(ValueError, match=words):
            model.load_weights(path)
        np.testing.assert_array_equal(model.predict(X), before)
    with pytest.raises(ValueError, match="no weights yet"):
        Sequential([LSTM(3)]).load_weights(path)
    with pytest.raises(ModelFileError, match="holds weights alone: make the model, and call its load_weights"):
        numlstm.load_model(path)


@pytest.mark.parametrize("names", [3, [0, 1], {}, ["a", "b", "c", "d", "e", "f"]], ids=str)
def test_damaged_weights(tmp_path, names):
    path, model = tmp_path / "a.weights.safetensors", small_model()
    files.write(path, PlainData("weights", names, {"0": np.zeros((2, 12), "float32")}))
    with pytest.raises(ValueError, match=r"does not say what its weights are|is of another model: it holds 0 weights"):
        model.load_weights(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match="not a whole one"):
        model.load_weights(path)


# Names and other files


@pytest.mark.parametrize("name", ["m.h5", "m.hdf5", "m.keras", "m.KERAS", "m.weights.h5"])
def test_names_of_keras_files_are_refused(tmp_path, name):
    path = tmp_path / name
    for save in (small_model().save, small_model().save_weights):
        with pytest.raises(ValueError, match=r"m\.\S+ would be no file of Keras'.*name it \S+/m\S*\.safetensors$"):
            save(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("begin", [b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"])
def test_keras_files_are_known(tmp_path, begin):
    path = tmp_path / "m.keras"
    path.write_bytes(begin + bytes(100))
    for read in (numlstm.load_model, small_model().load_weights):
        with pytest.raises(ModelFileError, match=r"as Keras writes them.*get_weights\(\)"):
            read(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=f"'{tmp_path}'$"):
        small_model().save(tmp_path)


def test_loading_draws_nothing(saved):
    numlstm.set_seed(1)
    expected = Dense(3)(np.ones((1, 4)))
    numlstm.set_seed(1)
    numlstm.load_model(saved)
    np.testing.assert_array_equal(Dense(3)(np.ones((1, 4))), expected)


def test_function_as_initializer_can_be_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    model = small_model(kernel_initializer=lambda shape: np.full(shape, 0.1))
    model.save(path)
    np.testing.assert_array_equal(numlstm.load_model(path).predict(X), model.predict(X))


def test_truncated_anywhere(saved, tmp_path):
    data, cut = saved.read_bytes(), tmp_path / "cut.safetensors"
    for length in [*range(0, 24), *range(24, len(data), 37), len(data) - 1]:
        cut.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            numlstm.load_model(cut)


def test_flipped_bits(saved, tmp_path):
    """Each single flipped bit is noticed, or did not change what is loaded."""
    data, path = saved.read_bytes(), tmp_path / "flipped.safetensors"
    expected = numlstm.load_model(saved).predict(X)
    random, refused = np.random.default_rng(0), 0
    for position in random.integers(0, len(data), 300):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            loaded = numlstm.load_model(path)
        except ModelFileError:
            refused += 1
        else:
            np.testing.assert_array_equal(loaded.predict(X), expected)
    assert refused > 250


def test_trailing_bytes(saved):
    saved.write_bytes(saved.read_bytes() + b"more")
    with pytest.raises(ModelFileError, match="not a model file, or not a whole one"):
        numlstm.load_model(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"\x00" * 100, b"\xff" * 100])
def test_foreign_files(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a model file, or not a whole one"):
        numlstm.load_model(path)


def rewritten(path, change):
    """Change description and metadata of a file and make its checksum right again: an attacker can."""
    tensors = from_bytes(path.read_bytes())
    header = path.read_bytes()
    metadata = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]
    description = json.loads(metadata["model"])
    change(metadata, description, tensors)
    metadata["model"] = json.dumps(description)
    metadata["sha256"] = files._checksum(metadata["model"], tensors)
    path.write_bytes(to_bytes(tensors, metadata))


CHANGES = {
    "not a numlstm model": lambda m, d, t: m.update(format="other"),
    "has format version 99": lambda m, d, t: m.update(format_version="99"),
    "unknown layer 'Lambda'": lambda m, d, t: d["layers"][0].update(class_name="Lambda"),
    "takes no argument": lambda m, d, t: d["layers"][0]["config"].update(code="print()"),
    "units must be an integer": lambda m, d, t: d["layers"][0]["config"].update(units="3"),
    "weights of shapes": lambda m, d, t: d["layers"][0]["config"].update(units=2**40),
    "lstm.*features": lambda m, d, t: d.update(input_shape=[None, 5]),
    "expected": lambda m, d, t: t.update(extra=np.zeros(3)),
    "are expected": lambda m, d, t: t.pop(next(iter(t))),
    "no layers": lambda m, d, t: (d.update(layers=[]), t.clear()),
    "optimizer must be one of": lambda m, d, t: d.update(compile={"optimizer": "os.system", "loss": "mse"}),
    "does not describe a model": lambda m, d, t: d.pop("input_shape"),
}


@pytest.mark.parametrize("message", CHANGES)
def test_manipulated_files(saved, message):
    rewritten(saved, CHANGES[message])
    with pytest.raises(ModelFileError, match=message):
        numlstm.load_model(saved)


def test_manipulating_changes_nothing_else(saved):
    """The helper above is sound: with no change the file loads."""
    rewritten(saved, lambda m, d, t: None)
    numlstm.load_model(saved)


def test_other_safetensors_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(to_bytes({"a": np.zeros(3)}))
    with pytest.raises(ModelFileError, match="not a numlstm model"):
        numlstm.load_model(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        numlstm.load_model(tmp_path / "none")


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        small_model().save(tmp_path / "none" / "model.safetensors")


def test_unbuilt_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no weights yet"):
        Sequential([LSTM(3)]).save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_failed_save_leaves_the_old_file_and_no_other(saved, monkeypatch, failing):
    before = saved.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        small_model().save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_saving_replaces(saved):
    model = small_model()
    model.save(saved)
    np.testing.assert_array_equal(numlstm.load_model(saved).predict(X), model.predict(X))
    assert list(saved.parent.iterdir()) == [saved]
