"""Programs that read pictures of digits as sequences. The pictures are drawn here: one of four shapes in noise."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers

NUM_CLASSES, ROWS = 4, 8


@pytest.fixture
def digits(random):
    """Pictures [N, 8, 8] of 0 to 255 and their classes, for training and for testing."""
    y = random.integers(0, NUM_CLASSES, 500)
    x = random.integers(0, 60, (500, ROWS, ROWS))
    for picture, shape in zip(x, y, strict=True):
        place = random.integers(1, ROWS - 2)
        if shape == 0:
            picture[place, :] += 180
        elif shape == 1:
            picture[:, place] += 180
        elif shape == 2:
            picture[np.arange(ROWS), np.arange(ROWS)] += 180
        else:
            picture[place : place + 2, 1:-1] += 90
            picture[1:-1, place : place + 2] += 90
    return (x[:400], y[:400]), (x[400:], y[400:])


def test_mnist_irnn(digits):
    """mnist_irnn of Keras' older examples: pixel by pixel, with an identity matrix to begin with (Le et al. 2015).

    Gradients are clipped, because the few epochs need a larger rate than the program's.
    """
    (x_train, y_train), (x_test, y_test) = digits
    x_train, x_test = (x.reshape(-1, ROWS // 2, 2, ROWS // 2, 2).mean(axis=(2, 4)) for x in (x_train, x_test))
    x_train = x_train.reshape(x_train.shape[0], -1, 1).astype("float32") / 255
    x_test = x_test.reshape(x_test.shape[0], -1, 1).astype("float32") / 255
    y_train = keras.utils.to_categorical(y_train, NUM_CLASSES)
    y_test = keras.utils.to_categorical(y_test, NUM_CLASSES)

    model = keras.Sequential()
    model.add(
        layers.SimpleRNN(
            50,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            recurrent_initializer=keras.initializers.Identity(gain=1.0),
            activation="relu",
            input_shape=x_train.shape[1:],
        )
    )
    model.add(layers.Dense(NUM_CLASSES))
    model.add(layers.Activation("softmax"))
    rmsprop = keras.optimizers.RMSprop(learning_rate=2e-3, clipnorm=0.3)
    model.compile(loss="categorical_crossentropy", optimizer=rmsprop, metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=16, epochs=40, verbose=0, validation_data=(x_test, y_test)).history
    scores = model.evaluate(x_test, y_test, verbose=0)

    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert scores[1] == history["val_accuracy"][-1]


def test_mnist_hierarchical_rnn(digits):
    """mnist_hierarchical_rnn of Keras' older examples: an LSTM over the pixels of a row, and one over the rows."""
    (x_train, y_train), (x_test, y_test) = digits
    x_train = x_train.reshape(x_train.shape[0], ROWS, ROWS, 1).astype("float32") / 255
    x_test = x_test.reshape(x_test.shape[0], ROWS, ROWS, 1).astype("float32") / 255
    y_train = keras.utils.to_categorical(y_train, NUM_CLASSES)
    y_test = keras.utils.to_categorical(y_test, NUM_CLASSES)
    row_hidden, col_hidden = 24, 24

    row, col, pixel = x_train.shape[1:]
    x = layers.Input(shape=(row, col, pixel))
    encoded_rows = layers.TimeDistributed(layers.LSTM(row_hidden))(x)
    encoded_columns = layers.LSTM(col_hidden)(encoded_rows)
    prediction = layers.Dense(NUM_CLASSES, activation="softmax")(encoded_columns)
    model = keras.Model(x, prediction)
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.RMSprop(0.01), metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=12, verbose=0, validation_data=(x_test, y_test))
    scores = model.evaluate(x_test, y_test, verbose=0)

    assert scores[1] > 0.8
