"""Programs with stateful layers: the states go on from batch to batch, until they are reset."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers


@pytest.mark.parametrize("stateful", [True, False])
def test_lstm_stateful(random, stateful):
    """lstm_stateful of Keras' older examples: the target is the mean of more steps than a sample has.

    A stateful layer remembers the steps before. A stateless one does not, so its loss stays higher.
    """
    input_len, tsteps, lahead, batch_size, epochs = 300, 2, 1, 1, 8
    to_drop = max(tsteps - 1, lahead - 1)
    data_input = random.uniform(-1, 1, size=input_len + to_drop)
    expected_output = np.convolve(data_input, np.ones(tsteps), "full")[: len(data_input)] / tsteps
    data_input, expected_output = data_input[to_drop:, None], expected_output[to_drop:]

    model = keras.Sequential()
    model.add(layers.LSTM(20, input_shape=(lahead, 1), batch_size=batch_size, stateful=stateful))
    model.add(layers.Dense(1))
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(0.005))

    def split_data(x, y, ratio=0.8):
        to_train = int(input_len * ratio)
        to_train -= to_train % batch_size
        x_train, x_test = x[:to_train], x[to_train:]
        return (x_train[..., None], y[:to_train]), (x_test[..., None], y[to_train:])

    (x_train, y_train), (x_test, y_test) = split_data(data_input, expected_output)
    for _ in range(epochs):
        history = model.fit(
            x_train,
            y_train,
            batch_size=batch_size,
            epochs=1,
            verbose=0,
            validation_data=(x_test, y_test),
            shuffle=False,
        ).history
        if stateful:
            model.layers[0].reset_states()
    predicted = model.predict(x_test, batch_size=batch_size, verbose=0)

    assert predicted.shape == (len(x_test), 1)
    # Half of the target's variance comes from the step before.
    half = y_test.var() / 2
    assert history["val_loss"][-1] < 0.6 * half if stateful else history["val_loss"][-1] > 0.8 * half


def test_mlm_shampoo_stateful(random):
    """A tutorial that forecasts sales from differences, with a batch size of 1 told beforehand, and walks forward."""
    raw_values = 200 + 8 * np.arange(36) + 40 * (np.arange(36) % 2) + 3 * random.normal(size=36)
    diff_values = np.diff(raw_values)
    supervised = np.stack([np.concatenate([[0], diff_values[:-1]]), diff_values], axis=1)
    train, test = supervised[:-12], supervised[-12:]
    low, high = train.min(axis=0), train.max(axis=0)
    train_scaled = 2 * (train - low) / (high - low) - 1
    test_scaled = 2 * (test - low) / (high - low) - 1
    batch_size, nb_epoch, neurons = 1, 40, 4

    x, y = train_scaled[:, 0:-1], train_scaled[:, -1]
    x = x.reshape(x.shape[0], 1, x.shape[1])
    model = keras.Sequential()
    model.add(layers.LSTM(neurons, batch_input_shape=(batch_size, x.shape[1], x.shape[2]), stateful=True))
    model.add(layers.Dense(1))
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.Adam(0.01))
    for _ in range(nb_epoch):
        model.fit(x, y, epochs=1, batch_size=batch_size, verbose=0, shuffle=False)
        model.layers[0].reset_states()
    train_reshaped = train_scaled[:, 0].reshape(len(train_scaled), 1, 1)
    model.predict(train_reshaped, batch_size=batch_size, verbose=0)

    predictions = []
    for i in range(len(test_scaled)):
        yhat = model.predict(test_scaled[i, 0:-1].reshape(1, 1, 1), batch_size=batch_size, verbose=0)[0, 0]
        difference = (yhat + 1) / 2 * (high[1] - low[1]) + low[1]
        predictions.append(raw_values[-13 + i] + difference)
    rmse = np.sqrt(np.mean((raw_values[-12:] - predictions) ** 2))

    assert rmse < 0.5 * np.abs(diff_values).mean()


@pytest.mark.parametrize("name", ["bias_regularizer", "kernel_regularizer", "recurrent_regularizer"])
def test_mlm_weight_regularization(random, name):
    """A tutorial that compares penalties of the LSTM's weights: a strong one makes the weights small."""
    n_batch, nb_epoch, n_neurons = 4, 10, 10
    series = np.sin(np.arange(41) / 3) + 0.1 * random.normal(size=41)
    x, y = series[:-1].reshape(-1, 1, 1), series[1:]

    def fit_lstm(regularizer):
        keras.set_seed(1)
        model = keras.Sequential()
        model.add(
            layers.LSTM(
                n_neurons,
                batch_input_shape=(n_batch, x.shape[1], x.shape[2]),
                stateful=True,
                unit_forget_bias=False,
                **{name: regularizer},
            )
        )
        model.add(layers.Dense(1))
        model.compile(loss="mean_squared_error", optimizer=keras.optimizers.Adam(0.01))
        for _ in range(nb_epoch):
            model.fit(x, y, epochs=1, batch_size=n_batch, verbose=0, shuffle=False)
            model.layers[0].reset_states()
        index = ["kernel_regularizer", "recurrent_regularizer", "bias_regularizer"].index(name)
        return np.abs(model.get_weights()[index]).sum(), model.predict(x, batch_size=n_batch, verbose=0)

    regularizers = [keras.regularizers.L1L2(l1=0.0, l2=0.0), keras.regularizers.L1L2(l1=0.05, l2=0.05)]
    (free, predicted), (penalized, _) = (fit_lstm(regularizer) for regularizer in regularizers)
    assert np.corrcoef(predicted[:, 0], y)[0, 1] > 0.8
    assert penalized < 0.7 * free
