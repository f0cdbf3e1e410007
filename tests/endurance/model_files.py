"""Damage model files at random: each loads to the same bits, or is refused by ModelFileError.

    python tests/endurance/model_files.py 100000

A file whose checksum was made right again may load to something else, but it loads or is refused.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from driver import Trial, endure
from mutations import damaged_bytes, damaged_json
from safetensors.numpy import load as from_bytes
from safetensors.numpy import save as to_bytes

import numlstm
from numlstm import Input, Model, Sequential
from numlstm.formats import tensors as files
from numlstm.formats.tensors import ModelFileError
from numlstm.layers import GRU, LSTM, Add, Attention, Bidirectional, Dense, Dropout, TimeDistributed

SECONDS = 30.0
"""A trial takes milliseconds, unless the damaged model needs kernels that are not compiled yet."""


def models() -> list[Model]:
    """Models with all that a file may hold."""
    numlstm.set_seed(0)
    plain = Sequential([LSTM(3, input_shape=(5, 2)), Dense(1)])
    rich = Sequential([
        Bidirectional(LSTM(3, dropout=0.1, kernel_regularizer="l2", return_sequences=True), input_shape=(5, 2)),
        TimeDistributed(Dropout(0.2)),
        GRU(2),
        Dense(1),
    ])  # fmt: skip
    rich.compile("adam", "huber", metrics=["mae"], verbose=0)
    rich.fit(np.ones((4, 5, 2)), np.ones((4, 1)), verbose=0)
    source, target = Input((5, 2), name="source"), Input((None, 2), name="target")
    shared = LSTM(2, return_sequences=True, return_state=True)
    encoded, *state = shared(source)
    decoded, *_ = shared(target, initial_state=state)
    attended, scores = Attention()([decoded, encoded], return_attention_scores=True)
    graph = Model([source, target], {"y": Add()([decoded, attended]), "scores": scores})
    graph.compile("adam", {"y": "mse"}, verbose=0)
    graph.fit([np.ones((4, 5, 2))] * 2, {"y": np.ones((4, 5, 2))}, verbose=0)
    return [plain, rich, graph]


def make_trial() -> Trial:
    """Write the files, and make the trial."""
    folder = Path(tempfile.mkdtemp())
    path = folder / "m"
    originals = []
    for model in models():
        model.save(path)
        originals.append((path.read_bytes(), model.get_weights()))

    def trial(number: int) -> str | None:
        random = np.random.default_rng(number)
        content, weights = originals[random.integers(len(originals))]
        signed = bool(random.integers(2))
        path.write_bytes(_signed(content, random) if signed else damaged_bytes(content, random))
        try:
            loaded = numlstm.load_model(path).get_weights()
        except ModelFileError as error:
            message = str(error)
            return None if len(message) <= 300 and message.isprintable() else f"the message is {message[:300]!r}"
        same = len(loaded) == len(weights) and all(map(np.array_equal, loaded, weights))
        return None if same or signed else "it loads to something else"

    return trial


def _signed(content: bytes, random: np.random.Generator) -> bytes:
    """The file with a damaged description or other tensors, and the right checksum."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata, tensors = header["__metadata__"], from_bytes(content)
    text = metadata["model"]
    if random.integers(4):
        text = json.dumps(damaged_json(json.loads(text), random))
    elif random.integers(2):
        text = damaged_bytes(text.encode(), random).decode("utf-8", "replace")
    else:
        name = list(tensors)[random.integers(len(tensors))]
        changed = (
            tensors[name].astype("int8"), tensors[name][..., None], tensors[name].ravel()[:1], tensors[name] * np.nan,
        )[random.integers(4)]  # fmt: skip
        tensors[name] = np.ascontiguousarray(changed)
    metadata |= {"model": text, "sha256": files._checksum(text, tensors)}
    return to_bytes(tensors, metadata)


if __name__ == "__main__":
    endure("model_files", make_trial, SECONDS)
