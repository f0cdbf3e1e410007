"""Programs whose sequences go in and come out: autoencoders, encoders and decoders, a label for each step, states."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers
from numlstm.layers import LSTM, Bidirectional, Dense, RepeatVector, TimeDistributed


@pytest.mark.parametrize("kind", ["sequences", "state", "both"])
def test_mlm_return_states(kind):
    """A tutorial on what an LSTM returns: the outputs of all steps, its last states, and both."""
    inputs1 = keras.Input(shape=(3, 1))
    data = np.array([0.1, 0.2, 0.3]).reshape((1, 3, 1))
    if kind == "sequences":
        lstm1 = LSTM(1, return_sequences=True)(inputs1)
        model = keras.Model(inputs=inputs1, outputs=lstm1)
        assert model.predict(data, verbose=0).shape == (1, 3, 1)
        return
    lstm1, state_h, state_c = LSTM(1, return_sequences=kind == "both", return_state=True)(inputs1)
    model = keras.Model(inputs=inputs1, outputs=[lstm1, state_h, state_c])
    output, h, c = model.predict(data, verbose=0)
    assert [part.shape for part in (h, c)] == [(1, 1), (1, 1)]
    np.testing.assert_array_equal(output[:, -1] if kind == "both" else output, h)
    assert not np.array_equal(h, c)


def test_mlm_autoencoder():
    """A tutorial that rebuilds a sequence, and then cuts the encoder out of the model."""
    sequence = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    n_in = len(sequence)
    sequence = sequence.reshape((1, n_in, 1))
    model = keras.Sequential()
    model.add(LSTM(40, activation="relu", input_shape=(n_in, 1)))
    model.add(RepeatVector(n_in))
    model.add(LSTM(40, activation="relu", return_sequences=True))
    model.add(TimeDistributed(Dense(1)))
    model.compile(optimizer="adam", loss="mse")
    model.fit(sequence, sequence, epochs=200, verbose=0)
    np.testing.assert_allclose(model.predict(sequence, verbose=0), sequence, atol=0.1)

    model = keras.Model(inputs=model.inputs, outputs=model.layers[0].output)
    yhat = model.predict(sequence, verbose=0)
    assert yhat.shape == (1, 40)
    assert yhat.any()


def test_mlm_composite_autoencoder():
    """The same tutorial's last model: one encoder, and two decoders that rebuild and forecast."""
    seq_in = np.arange(1, 10).reshape((1, 9, 1)) / 10
    seq_out = seq_in[:, 1:, :]
    n_in, n_out = seq_in.shape[1], seq_out.shape[1]
    visible = keras.Input(shape=(n_in, 1))
    encoder = LSTM(40, activation="relu")(visible)
    decoder1 = RepeatVector(n_in)(encoder)
    decoder1 = LSTM(40, activation="relu", return_sequences=True)(decoder1)
    decoder1 = TimeDistributed(Dense(1))(decoder1)
    decoder2 = RepeatVector(n_out)(encoder)
    decoder2 = LSTM(40, activation="relu", return_sequences=True)(decoder2)
    decoder2 = TimeDistributed(Dense(1))(decoder2)
    model = keras.Model(inputs=visible, outputs=[decoder1, decoder2])
    model.compile(optimizer="adam", loss="mse")
    model.fit(seq_in, [seq_in, seq_out], epochs=200, verbose=0)
    rebuilt, forecast = model.predict(seq_in, verbose=0)

    np.testing.assert_allclose(rebuilt, seq_in, atol=0.1)
    np.testing.assert_allclose(forecast, seq_out, atol=0.15)


def test_mlm_encoder_decoder(random):
    """A tutorial that echoes the first steps of a sequence of whole numbers."""
    n_features, n_steps_in, n_steps_out = 8, 4, 2

    def get_pairs(count):
        sequences = random.integers(0, n_features, (count, n_steps_in))
        x = keras.utils.to_categorical(sequences, num_classes=n_features)
        y = keras.utils.to_categorical(sequences[:, :n_steps_out], num_classes=n_features)
        return x, y

    model = keras.Sequential()
    model.add(LSTM(64, input_shape=(n_steps_in, n_features)))
    model.add(RepeatVector(n_steps_out))
    model.add(LSTM(64, return_sequences=True))
    model.add(TimeDistributed(Dense(n_features, activation="softmax")))
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
    x, y = get_pairs(1000)
    model.fit(x, y, epochs=10, batch_size=32, verbose=0)
    x, y = get_pairs(50)
    yhat = model.predict(x, verbose=0)

    assert np.mean(yhat.argmax(axis=-1) == y.argmax(axis=-1)) > 0.95


@pytest.mark.parametrize("merge_mode", [None, "sum", "mul", "ave", "concat"])
def test_mlm_bidirectional_classification(random, merge_mode):
    """A tutorial that labels each step: whether the sum so far is over a threshold. Without a mode: an LSTM alone."""
    n_timesteps = 10

    def get_sequences(count):
        x = random.random((count, n_timesteps))
        y = (np.cumsum(x, axis=1) >= n_timesteps / 4).astype(int)
        return x.reshape(count, n_timesteps, 1), y.reshape(count, n_timesteps, 1)

    model = keras.Sequential()
    if merge_mode is None:
        model.add(LSTM(20, input_shape=(n_timesteps, 1), return_sequences=True))
    else:
        model.add(Bidirectional(LSTM(20, return_sequences=True), input_shape=(n_timesteps, 1), merge_mode=merge_mode))
    model.add(TimeDistributed(Dense(1, activation="sigmoid")))
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.02), metrics=["accuracy"])
    for _ in range(60):
        x, y = get_sequences(16)
        model.fit(x, y, epochs=1, batch_size=16, verbose=0)
    x, y = get_sequences(100)
    yhat = (model.predict(x, verbose=0) > 0.5).astype(int)

    assert np.mean(yhat == y) > 0.85


def test_mlm_activity_recognition(random):
    """A tutorial that tells movements from windows of several sensors."""
    n_timesteps, n_features, n_outputs = 32, 6, 3
    y = random.integers(0, n_outputs, 240)
    t = np.arange(n_timesteps)[None, :, None]
    phase, axis = random.uniform(0, 6, (240, 1, 1)), np.arange(n_features)[None, None, :]
    x = np.sin(t * (0.2 + 0.25 * y[:, None, None]) + phase + axis) + 0.3 * random.normal(size=(240, 32, 6))
    train_x, train_y, test_x, test_y = x[:180], y[:180, None], x[180:], y[180:, None]
    train_y, test_y = keras.utils.to_categorical(train_y), keras.utils.to_categorical(test_y)

    verbose, epochs, batch_size = 0, 12, 32
    model = keras.Sequential()
    model.add(LSTM(32, input_shape=(n_timesteps, n_features)))
    model.add(layers.Dropout(0.5))
    model.add(Dense(32, activation="relu"))
    model.add(Dense(n_outputs, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
    model.fit(train_x, train_y, epochs=epochs, batch_size=batch_size, verbose=verbose)
    _, accuracy = model.evaluate(test_x, test_y, batch_size=batch_size, verbose=0)

    assert accuracy > 0.85
