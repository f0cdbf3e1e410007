"""The sine job in Keras on TensorFlow: a script of its own, and the model for `numlstm bench train`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf


def make_model(features: int = 1, units: int = 50) -> tf.keras.Model:
    """LSTM and Dense, compiled."""
    layers = [tf.keras.layers.LSTM(units), tf.keras.layers.Dense(1)]
    model = tf.keras.Sequential([tf.keras.Input((10, features)), *layers])
    model.compile(optimizer="adam", loss="mean_squared_error")
    return model


if __name__ == "__main__":
    series = np.sin(np.linspace(0, 50, 1000)) + np.random.default_rng(0).normal(0, 0.1, 1000)
    windows = np.lib.stride_tricks.sliding_window_view(series, 10)[:-1, :, None]
    print(make_model().fit(windows, series[10:], epochs=10, batch_size=32, verbose=0).history["loss"][-1])
