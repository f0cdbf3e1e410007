"""`numlstm bench examples`: three public examples of Keras. Only their imports change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numba
import numpy as np

import numlstm
from numlstm.cli.bench.measure import Row, Times, by_turns, require_agreement
from numlstm.cli.bench.peers import Peer
from numlstm.utils import pad_sequences

__all__ = ["EXAMPLES", "measure"]

_TOLERANCE = 1e-3  # Of the first epoch's loss: rounding errors grow with every update.

Data = tuple[np.ndarray, np.ndarray]


def _text() -> Data:
    """Forty characters and the next character, at every third place of a text of made-up words."""
    random = np.random.default_rng(0)
    chars = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.,;!"))
    words = ["".join(random.choice(chars, size)) for size in random.integers(2, 9, 300)]
    text = " ".join(random.choice(words, 2500))
    maxlen, step = 40, 3
    _, ids = np.unique(list(text), return_inverse=True)
    one_hot = np.eye(ids.max() + 1, dtype=bool)
    starts = range(0, len(ids) - maxlen, step)
    return one_hot[[ids[i : i + maxlen] for i in starts]], one_hot[[ids[i + maxlen] for i in starts]]


def _sums() -> Data:
    """Sums of two numbers of up to three digits, as characters. The question is reversed."""
    random = np.random.default_rng(0)
    chars = "0123456789+ "
    one_hot = np.eye(len(chars), dtype=bool)
    numbers = random.integers(0, 1000, (6400, 2))
    questions = [f"{a}+{b}".ljust(7)[::-1] for a, b in numbers]
    answers = [str(a + b).ljust(4) for a, b in numbers]
    x, y = (np.array([one_hot[[chars.index(c) for c in line]] for line in lines]) for lines in (questions, answers))
    return x, y


def _reviews() -> Data:
    """Word ids, padded on the left to 200, and whether more of them are even than odd."""
    random = np.random.default_rng(0)
    words = [random.integers(1, 20000, size) for size in random.integers(50, 300, 640)]
    return pad_sequences(words, maxlen=200), np.array([(ids % 2 == 0).mean() > 0.5 for ids in words], int)


def _text_generator(lib: Any, x: np.ndarray, y: np.ndarray, **compiling: Any) -> Any:
    """https://keras.io/examples/generative/lstm_character_level_text_generation/."""
    model = lib.Sequential(
        [lib.Input(shape=x.shape[1:]), lib.layers.LSTM(128), lib.layers.Dense(y.shape[1], activation="softmax")]
    )
    optimizer = lib.optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer, **compiling)
    return model


def _adder(lib: Any, x: np.ndarray, y: np.ndarray, **compiling: Any) -> Any:
    """https://keras.io/examples/nlp/addition_rnn/."""
    model = lib.Sequential()
    model.add(lib.Input(x.shape[1:]))
    model.add(lib.layers.LSTM(128))
    model.add(lib.layers.RepeatVector(y.shape[1]))
    model.add(lib.layers.LSTM(128, return_sequences=True))
    model.add(lib.layers.Dense(y.shape[2], activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"], **compiling)
    return model


def _sentiment(lib: Any, x: np.ndarray, y: np.ndarray, **compiling: Any) -> Any:
    """https://keras.io/examples/nlp/bidirectional_lstm_imdb/ as a Sequential."""
    model = lib.Sequential(
        [
            lib.Input(shape=(None,), dtype="int32"),
            lib.layers.Embedding(20000, 128),
            lib.layers.Bidirectional(lib.layers.LSTM(64, return_sequences=True)),
            lib.layers.Bidirectional(lib.layers.LSTM(64)),
            lib.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"], **compiling)
    return model


EXAMPLES: dict[str, tuple[Callable[..., Any], Callable[[], Data], int]] = {
    "text generation": (_text_generator, _text, 128),
    "number addition": (_adder, _sums, 32),
    "bidirectional sentiment": (_sentiment, _reviews, 32),
}
"""Model, data and batch size of each example."""


def measure(peers: Mapping[str, Peer], device: str, rounds: int, epochs: int) -> Iterator[Row]:
    """Yield a row for each example: the time of one epoch in a fit of `epochs`. Errors as for `kernels.measure`."""
    threads = numba.get_num_threads()
    libraries = {name: peer.library(threads) for name, peer in peers.items() if peer.library}
    for name, (make, data, batch_size) in EXAMPLES.items():
        x, y = data()
        models = {"numlstm": make(numlstm, x, y, device=device)}
        for peer, library in libraries.items():
            models[peer] = make(library, x, y)
            models[peer].set_weights(models["numlstm"].get_weights())
        fits = {key: partial(model.fit, x, y, batch_size=batch_size, verbose=0) for key, model in models.items()}
        losses = {key: fit(epochs=1, shuffle=False).history["loss"][0] for key, fit in fits.items()}
        ours = losses.pop("numlstm")
        # The error is relative to the loss.
        error = {peer: require_agreement(name, peer, [1.0], [loss / ours], _TOLERANCE) for peer, loss in losses.items()}
        taken = by_turns({key: partial(fit, epochs=epochs) for key, fit in fits.items()}, rounds, warm_up=False)
        times = {key: Times(times.samples / epochs) for key, times in taken.items()}
        yield Row(f"{name}, an epoch", times.pop("numlstm"), times, error=error)
