"""Model files: what comes back, and that nothing damaged or foreign does."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

import numlstm
from numlstm import Sequential, losses, metrics, optimizers
from numlstm.formats import checkpoint
from numlstm.formats.checkpoint import ModelFileError
from numlstm.layers import LSTM, Dense

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
    metadata["sha256"] = checkpoint._checksum(metadata["model"], tensors)
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
