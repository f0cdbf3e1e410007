"""Programs that forecast series. The series are computed here."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers


def test_timeseries_weather_forecasting(random, tmp_path):
    """timeseries_weather_forecasting of keras.io: batches of windows, a graph of layers, and the best weights kept.

    The file of the weights has another ending than in the program, because its format is not Keras'.
    """
    split_fraction, step, past, future = 0.715, 2, 24, 6
    learning_rate, batch_size, epochs = 0.01, 64, 8
    t = np.arange(900)
    features = np.stack(
        [
            np.sin(2 * np.pi * t / 24) + 0.05 * random.normal(size=t.size),
            np.cos(2 * np.pi * t / 24) + 0.05 * random.normal(size=t.size),
            20 + random.normal(size=t.size),
        ],
        axis=1,
    )
    train_split = int(split_fraction * int(features.shape[0]))
    features = (features - features[:train_split].mean(axis=0)) / features[:train_split].std(axis=0)
    train_data, val_data = features[:train_split], features[train_split:]

    start = past + future
    x_train = train_data[:, [i for i in range(3)]]
    y_train = features[start : start + train_split, [0]]
    sequence_length = int(past / step)
    dataset_train = keras.utils.timeseries_dataset_from_array(
        x_train, y_train, sequence_length=sequence_length, sampling_rate=step, batch_size=batch_size
    )
    x_end = len(val_data) - past - future
    label_start = train_split + past + future
    x_val = val_data[:x_end, [i for i in range(3)]]
    y_val = features[label_start:, [0]]
    dataset_val = keras.utils.timeseries_dataset_from_array(
        x_val, y_val, sequence_length=sequence_length, sampling_rate=step, batch_size=batch_size
    )
    for batch in dataset_train:
        inputs, targets = batch
        break

    inputs = layers.Input(shape=(inputs.shape[1], inputs.shape[2]))
    lstm_out = layers.LSTM(32)(inputs)
    outputs = layers.Dense(1)(lstm_out)
    model = keras.Model(inputs=inputs, outputs=outputs)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=learning_rate), loss="mse")
    model.summary(print_fn=lambda text: None)
    path_checkpoint = str(tmp_path / "model_checkpoint.safetensors")
    es_callback = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=0, patience=5)
    modelckpt_callback = keras.callbacks.ModelCheckpoint(
        monitor="val_loss", filepath=path_checkpoint, verbose=0, save_weights_only=True, save_best_only=True
    )
    history = model.fit(
        dataset_train,
        epochs=epochs,
        validation_data=dataset_val,
        callbacks=[es_callback, modelckpt_callback],
        verbose=0,
    ).history

    assert targets.shape == (batch_size, 1)
    assert min(history["val_loss"]) < 0.05
    model.load_weights(path_checkpoint)
    assert model.evaluate(dataset_val, verbose=0) == pytest.approx(min(history["val_loss"]), rel=1e-5)
    for x, y in dataset_val:
        assert np.mean((model.predict(x, verbose=0) - y) ** 2) < 0.1


def test_timeseries_forecasting_with_lstm_for_temperature_prediction(random):
    """A tutorial with windows of the last days' hours, an LSTM with recurrent dropout, and the mean absolute error."""
    raw_data = np.stack([np.sin(2 * np.pi * np.arange(800) / 48), random.normal(size=800)], axis=1)
    temperature = raw_data[:, 0] + 0.05 * random.normal(size=800)
    num_train_samples, num_val_samples = 400, 200
    mean, std = raw_data[:num_train_samples].mean(axis=0), raw_data[:num_train_samples].std(axis=0)
    raw_data = (raw_data - mean) / std

    sampling_rate, sequence_length, batch_size = 3, 12, 32
    delay = sampling_rate * (sequence_length + 8 - 1)
    options = {
        "sampling_rate": sampling_rate,
        "sequence_length": sequence_length,
        "shuffle": True,
        "batch_size": batch_size,
    }

    def dataset(start_index, end_index):
        return keras.utils.timeseries_dataset_from_array(
            raw_data[:-delay], targets=temperature[delay:], start_index=start_index, end_index=end_index, **options
        )

    train_dataset = dataset(0, num_train_samples)
    val_dataset = dataset(num_train_samples, num_train_samples + num_val_samples)
    test_dataset = dataset(num_train_samples + num_val_samples, None)

    inputs = keras.Input(shape=(sequence_length, raw_data.shape[-1]))
    x = layers.LSTM(16, recurrent_dropout=0.1)(inputs)
    x = layers.Dropout(0.1)(x)
    outputs = layers.Dense(1)(x)
    model = keras.Model(inputs, outputs)
    model.compile(optimizer=keras.optimizers.RMSprop(0.01), loss="mse", metrics=["mae"])
    model.fit(train_dataset, epochs=10, validation_data=val_dataset, verbose=0)

    assert model.evaluate(test_dataset, verbose=0)[1] < 0.2


def create_dataset(dataset, look_back=1):
    data_x, data_y = [], []
    for i in range(len(dataset) - look_back - 1):
        data_x.append(dataset[i : i + look_back, 0])
        data_y.append(dataset[i + look_back, 0])
    return np.array(data_x), np.array(data_y)


@pytest.mark.parametrize("time_steps", [False, True], ids=["window as features", "window as steps"])
def test_mlm_airline_passengers(random, time_steps):
    """A tutorial that forecasts monthly passengers from a window, with a batch size of 1."""
    t = np.arange(120)
    dataset = (100 + 2 * t + (20 + t / 5) * np.sin(2 * np.pi * t / 12)).astype("float32").reshape(-1, 1)
    low, high = dataset.min(), dataset.max()
    dataset = (dataset - low) / (high - low)
    train_size = int(len(dataset) * 0.67)
    train, test = dataset[:train_size, :], dataset[train_size:, :]
    look_back = 3
    train_x, train_y = create_dataset(train, look_back)
    test_x, test_y = create_dataset(test, look_back)
    shape = (look_back, 1) if time_steps else (1, look_back)
    train_x, test_x = (np.reshape(part, (part.shape[0], *shape)) for part in (train_x, test_x))

    model = keras.Sequential()
    model.add(layers.LSTM(4, input_shape=shape))
    model.add(layers.Dense(1))
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.Adam(0.01))
    model.fit(train_x, train_y, epochs=30, batch_size=1, verbose=0)
    train_predict = model.predict(train_x, verbose=0)
    test_predict = model.predict(test_x, verbose=0)

    def inverse(scaled):
        return scaled * (high - low) + low

    errors = [
        np.sqrt(np.mean((inverse(a[:, 0]) - inverse(b)) ** 2))
        for a, b in ((train_predict, train_y), (test_predict, test_y))
    ]
    assert errors[0] < 0.5 * inverse(train_y).std()
    assert errors[1] < 2 * inverse(test_y).std()


@pytest.mark.parametrize("kind", ["vanilla", "stacked", "bidirectional"])
def test_mlm_vanilla_stacked_bidirectional(kind):
    """A tutorial with 3 numbers of a series as the input and the next one as the target, in three models."""
    raw_seq = [10, 20, 30, 40, 50, 60, 70, 80, 90]
    n_steps, n_features = 3, 1
    x = np.array([raw_seq[i : i + n_steps] for i in range(len(raw_seq) - n_steps)])
    y = np.array(raw_seq[n_steps:])
    x = x.reshape((x.shape[0], x.shape[1], n_features))

    model = keras.Sequential()
    if kind == "vanilla":
        model.add(layers.LSTM(50, activation="relu", input_shape=(n_steps, n_features)))
    elif kind == "stacked":
        model.add(layers.LSTM(50, activation="relu", return_sequences=True, input_shape=(n_steps, n_features)))
        model.add(layers.LSTM(50, activation="relu"))
    else:
        model.add(layers.Bidirectional(layers.LSTM(50, activation="relu"), input_shape=(n_steps, n_features)))
    model.add(layers.Dense(1))
    model.compile(optimizer="adam", loss="mse")
    history = model.fit(x, y, epochs=200, verbose=0).history
    yhat = model.predict(np.array([70, 80, 90]).reshape((1, n_steps, n_features)), verbose=0)

    assert history["loss"][-1] < 0.02 * history["loss"][0]
    assert abs(yhat[0, 0] - 100) < 15


def test_mlm_pollution(random):
    """A tutorial that forecasts one of several variables, with the mean absolute error and no shuffling."""
    t = np.arange(400)
    pollution = 0.5 + 0.3 * np.sin(2 * np.pi * t / 24) + 0.03 * random.normal(size=t.size)
    others = np.stack([np.cos(2 * np.pi * t / 24), random.normal(size=t.size)], axis=1)
    values = np.concatenate([pollution[:, None], others], axis=1).astype("float32")
    values = (values - values.min(axis=0)) / (values.max(axis=0) - values.min(axis=0))
    n_hours, n_features = 3, values.shape[1]
    reframed = np.concatenate([values[i : len(values) - n_hours + i] for i in range(n_hours + 1)], axis=1)
    n_train, n_obs = 280, n_hours * n_features
    train, test = reframed[:n_train], reframed[n_train:]
    train_x, train_y = train[:, :n_obs], train[:, -n_features]
    test_x, test_y = test[:, :n_obs], test[:, -n_features]
    train_x = train_x.reshape((train_x.shape[0], n_hours, n_features))
    test_x = test_x.reshape((test_x.shape[0], n_hours, n_features))

    model = keras.Sequential()
    model.add(layers.LSTM(50, input_shape=(train_x.shape[1], train_x.shape[2])))
    model.add(layers.Dense(1))
    model.compile(loss="mae", optimizer="adam")
    history = model.fit(
        train_x, train_y, epochs=30, batch_size=32, validation_data=(test_x, test_y), verbose=0, shuffle=False
    ).history
    yhat = model.predict(test_x, verbose=0)

    assert history["val_loss"][-1] < 0.1
    assert np.mean(np.abs(yhat[:, 0] - test_y)) == pytest.approx(history["val_loss"][-1], rel=1e-5)
