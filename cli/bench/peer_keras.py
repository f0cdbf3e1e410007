"""Keras on TensorFlow as a peer, compiled by `tf.function`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import ModuleType

import numpy as np

from numlstm.cli.bench.peers import Weights
from numlstm.cli.bench.sine_keras import make_model, tf
from numlstm.kernels import Cell

__all__ = ["Layer", "library", "stream", "trainer"]

_LAYERS = {"lstm": tf.keras.layers.LSTM, "gru": tf.keras.layers.GRU, "simple_rnn": tf.keras.layers.SimpleRNN}
"""The layers by the cell's name. All have our layout of the weights."""


class Layer:
    """The layer of the same cell; see `peers.Layer`."""

    def __init__(self, cell: Cell, weights: Weights, device: str, threads: int) -> None:
        _set_threads(threads)
        layer = _LAYERS[cell.name](cell.units, return_sequences=True)
        layer.build((None, None, cell.features))
        layer.set_weights(weights)

        @tf.function
        def gradients(x: tf.Tensor, dy: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x)
            return [y, *tape.gradient(y, [x, *layer.trainable_variables], output_gradients=dy)]

        self._forward, self._gradients = tf.function(layer), gradients
        self._of_weights: list[tf.Tensor] = []

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Inference."""
        return self._forward(tf.constant(x)).numpy()

    def forward_backward(self, x: np.ndarray, dy: np.ndarray) -> list[np.ndarray]:
        """[y, dx]."""
        y, dx, *self._of_weights = self._gradients(tf.constant(x), tf.constant(dy))
        return [y.numpy(), dx.numpy()]

    def gradients(self) -> list[np.ndarray]:
        """[dW, dU, db]."""
        return [array.numpy() for array in self._of_weights]


def trainer(weights: Weights, x: np.ndarray, y: np.ndarray, threads: int) -> Callable[[int, bool], float]:
    """See `peers.Peer`."""
    _set_threads(threads)
    model = make_model(weights[0].shape[0], weights[1].shape[0])
    model.set_weights(weights)

    def fit(epochs: int, shuffle: bool) -> float:
        return model.fit(x, y, epochs=epochs, batch_size=32, shuffle=shuffle, verbose=0).history["loss"][-1]

    return fit


def stream(weights: Weights, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """See `peers.Peer`."""
    _set_threads(threads)
    model = tf.keras.Sequential(
        [
            tf.keras.Input(batch_shape=(1, 1, weights[0].shape[0])),
            tf.keras.layers.LSTM(weights[1].shape[0], stateful=True),
            tf.keras.layers.Dense(weights[3].shape[1]),
        ]
    )
    model.set_weights(weights)
    step = tf.function(model)
    return lambda x_t: step(tf.constant(x_t[None, None])).numpy()[0]


def library(threads: int) -> ModuleType:
    """See `peers.Peer`."""
    _set_threads(threads)
    return tf.keras


def _set_threads(threads: int) -> None:
    # TensorFlow accepts this only before its first operation.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
