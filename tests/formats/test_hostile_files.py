"""Model files that an attacker made, or that are no files: one short sentence, soon, and nothing else happens."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
from safetensors.numpy import save as to_bytes

import numlstm
from numlstm import Sequential
from numlstm.formats import tensors as files
from numlstm.formats.tensors import ModelFileError
from numlstm.layers import Dense

WEIGHTS = {"d/kernel": np.zeros((2, 1), "f"), "d/bias": np.zeros(1, "f")}
DENSE = {"class_name": "Dense", "config": {"units": 1, "name": "d"}}


def signed(path, description, tensors, content="numlstm"):
    """Write a file whose checksum is right."""
    text = description if isinstance(description, str) else json.dumps(description)
    metadata = {"format": content, "format_version": "1", "model": text, "sha256": files._checksum(text, tensors)}
    path.write_bytes(to_bytes(tensors, metadata))


def described(**changes):
    plain = {"class_name": "Sequential", "name": "s", "input_shape": [None, 2], "layers": [DENSE], "steps": [0]}
    return plain | {"compile": None} | changes


def layer(class_name, **config):
    return [{"class_name": class_name, "config": config}]


def nested(depth):
    entry = DENSE
    for _ in range(depth):
        entry = {"class_name": "TimeDistributed", "config": {"layer": entry}}
    return [entry]


def sgd(**config):
    return {"optimizer": {"class_name": "SGD", "config": config}, "loss": "mse"}


HOSTILE = {
    "a learning rate beyond floats": described(compile=sgd(learning_rate=10**400)),
    "a device": described(compile=sgd() | {"device": "cuda"}),
    "an infinite size": described(input_shape=[None, 4, float("inf")], layers=layer("LSTM", units=1, name="d")),
    "a huge size": described(input_shape=[None, 10**400]),
    "no shape": described(input_shape=3),
    "huge units": described(layers=layer("Dense", units=2**62, name="d")),
    "weights to draw first": described(layers=layer("Dense", units=2**40, name="d", input_shape=[2])),
    "a nested layer's shape": described(
        input_shape=[None, 3, 2],
        layers=layer("TimeDistributed", layer=layer("Dense", units=2**40, name="e", input_shape=[2])[0], name="d"),
    ),
    "deep nesting": described(layers=nested(300)),
    "deeper nesting": "[" * 100_000,
    "a control character in a name": described(layers=layer("Dense", units=1, name="\x1b[31md")),
    "a control character in the model's name": described(name="\x1b[2J"),
    "a model's name that is none": described(name=["s"]),
    "a long unknown layer": described(layers=layer("x" * 1_000_000)),
    "a long unknown argument": described(layers=layer("Dense", units=1, **{"x" * 1_000_000: 1})),
    "a long value": described(layers=layer("Dense", units="\x07" * 1_000_000)),
    "layers that are none": described(layers=[3]),
    "a config that is none": described(layers=[{"class_name": "Dense", "config": 3}]),
    "a class that is a list": described(layers=[{"class_name": [], "config": {}}]),
    "compile that is a list": described(compile=["loss"]),
    "a list": [],
    "null": None,
}


def refused(path, load=numlstm.load_model):
    with pytest.raises(ModelFileError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message) <= 300
    assert message.isprintable()
    return message


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_description_is_refused_in_a_short_sentence(tmp_path, case):
    path = tmp_path / "m"
    signed(path, HOSTILE[case], WEIGHTS)
    refused(path)


def test_the_description_of_these_tests_is_sound(tmp_path):
    path = tmp_path / "m"
    signed(path, described(compile=sgd(learning_rate=0.5)), WEIGHTS)
    assert numlstm.load_model(path).optimizer.learning_rate == 0.5


@pytest.mark.parametrize("description", ["[" * 100_000, [[[]]], ["\x1b"], 3, "x", {"a": 1}], ids=range(6))
def test_hostile_weights_are_refused(tmp_path, description):
    path, model = tmp_path / "m", Sequential([Dense(1, input_shape=(2,))])
    signed(path, description, {"0": WEIGHTS["d/kernel"]}, "numlstm weights")
    refused(path, model.load_weights)


def test_many_tensors_are_not_listed(tmp_path):
    path = tmp_path / "m"
    signed(path, described(), WEIGHTS | {f"x{number}": WEIGHTS["d/bias"] for number in range(20_000)})
    refused(path)


def test_many_layers_load_in_linear_time(tmp_path):
    def seconds(count):
        path = tmp_path / "m"
        layers = layer("Activation", activation="relu") * count
        layers = [{**each, "config": {**each["config"], "name": f"a{n}"}} for n, each in enumerate(layers)]
        signed(path, described(layers=layers, steps=[0] * count), {})
        begun = time.perf_counter()
        assert len(numlstm.load_model(path).layers) == count
        return time.perf_counter() - begun

    seconds(10)
    assert seconds(16_000) < 60 * seconds(1_000)


def test_names_of_layers_are_free_again_after_pop():
    model = Sequential([Dense(1, name="a", input_shape=(2,)), Dense(1, name="b")])
    model.pop()
    model.add(Dense(2, name="b"))
    with pytest.raises(ValueError, match="has a layer named 'b' already"):
        model.add(Dense(2, name="b"))


def test_what_is_no_file_is_not_read(tmp_path):
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path, kind in ((pipe, "it is a pipe, expected a file"), (device, "it is a device, expected a file")):
        with pytest.raises(OSError, match=kind) as caught:
            numlstm.load_model(path)
        assert caught.value.filename == str(path)
    with pytest.raises(IsADirectoryError):
        numlstm.load_model(tmp_path)


def test_a_large_file_without_a_header_is_not_read(tmp_path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 42)
    assert "not a model file" in refused(path)


def test_a_file_that_shrinks_while_it_is_read_is_refused_or_read(python):
    """A file that is mapped would end the process with SIGBUS."""
    python("""
import os, threading, numlstm
from numlstm.layers import LSTM
model = numlstm.Sequential([LSTM(400, input_shape=(4, 2))])
model.save("m")
size = os.path.getsize("m")
over = threading.Event()

def shrink():
    while not over.is_set():
        os.truncate("m", 4096)
        os.truncate("m", size)

thread = threading.Thread(target=shrink)
thread.start()
for _ in range(100):
    try:
        numlstm.load_model("m")
    except numlstm.saved.ModelFileError:
        pass
over.set()
thread.join()
""")
