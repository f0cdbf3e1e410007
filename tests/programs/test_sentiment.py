"""Programs that tell good reviews from bad ones. The reviews are numbers of made-up words."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers
from numlstm.utils import pad_sequences

MAX_FEATURES = 40


@pytest.fixture
def reviews(random):
    """Reviews of 5 to 30 words and their labels, for training and for testing.

    A review is good if it has more good words than bad ones, where the word 1, "not", turns the next word round.
    """
    value = np.concatenate([np.zeros(2), np.ones(10), -np.ones(10), np.zeros(MAX_FEATURES - 22)])
    kept, labels = [], []
    for length in random.integers(5, 31, size=900):
        review = random.integers(2, MAX_FEATURES, size=length)
        review[random.uniform(size=length) < 0.1] = 1
        values = value[review]
        values[1:] *= np.where(review[:-1] == 1, -1, 1)
        if values.sum():
            kept.append(review.tolist())
            labels.append(int(values.sum() > 0))
    y = np.array(labels)
    return (kept[:600], y[:600]), (kept[600:], y[600:])


def test_bidirectional_lstm_imdb(reviews):
    """bidirectional_lstm_imdb of keras.io, a graph of layers."""
    maxlen = 30
    inputs = keras.Input(shape=(None,), dtype="int32")
    x = layers.Embedding(MAX_FEATURES, 32)(inputs)
    x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(16))(x)
    outputs = layers.Dense(1, activation="sigmoid")(x)
    model = keras.Model(inputs, outputs)
    lines = []
    model.summary(print_fn=lines.append)

    (x_train, y_train), (x_val, y_val) = reviews
    x_train = pad_sequences(x_train, maxlen=maxlen)
    x_val = pad_sequences(x_val, maxlen=maxlen)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=32, epochs=6, validation_data=(x_val, y_val), verbose=0).history

    assert "Embedding" in lines[0]
    assert history["val_accuracy"][-1] > 0.75


def test_imdb_lstm(reviews):
    """imdb_lstm of Keras' older examples: dropout on the inputs and on the states."""
    (x_train, y_train), (x_test, y_test) = reviews
    maxlen, batch_size = 30, 32
    x_train = pad_sequences(x_train, maxlen=maxlen)
    x_test = pad_sequences(x_test, maxlen=maxlen)

    model = keras.Sequential()
    model.add(layers.Embedding(MAX_FEATURES, 32))
    model.add(layers.LSTM(32, dropout=0.1, recurrent_dropout=0.1))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=batch_size, epochs=10, validation_data=(x_test, y_test), verbose=0)
    _score, accuracy = model.evaluate(x_test, y_test, batch_size=batch_size, verbose=0)

    assert accuracy > 0.8


def test_imdb_bidirectional_lstm(reviews):
    """imdb_bidirectional_lstm of Keras' older examples: the length of the input is told to the Embedding."""
    (x_train, y_train), (x_test, y_test) = reviews
    maxlen = 30
    x_train = pad_sequences(x_train, maxlen=maxlen)
    x_test = pad_sequences(x_test, maxlen=maxlen)
    y_train, y_test = np.array(y_train), np.array(y_test)

    model = keras.Sequential()
    model.add(layers.Embedding(MAX_FEATURES, 32, input_length=maxlen))
    model.add(layers.Bidirectional(layers.LSTM(24)))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=32, epochs=8, validation_data=[x_test, y_test], verbose=0).history

    assert history["val_accuracy"][-1] > 0.8


def test_imdb_lstm_sentiment(reviews):
    """A tutorial that pads and truncates behind the words, and stops early. A dictionary replaces the Tokenizer."""
    (train, y_train), (test, y_test) = reviews
    train, test = ([" ".join(f"word{number}" for number in review) for review in part] for part in (train, test))
    word_index = {word: number for number, word in enumerate(sorted(set(" ".join(train).split())), start=1)}

    def texts_to_sequences(texts):
        return [[word_index[word] for word in text.split() if word in word_index] for text in texts]

    max_length = 25
    padded = {"maxlen": max_length, "padding": "post", "truncating": "post"}
    training_padded = pad_sequences(texts_to_sequences(train), **padded)
    testing_padded = pad_sequences(texts_to_sequences(test), **padded)

    model = keras.Sequential(
        [
            layers.Embedding(len(word_index) + 1, 16, mask_zero=True),
            layers.LSTM(32, return_sequences=True),
            layers.LSTM(16),
            layers.Dense(12, activation="relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    history = model.fit(
        training_padded,
        y_train,
        epochs=12,
        validation_data=(testing_padded, y_test),
        callbacks=[stop],
        verbose=0,
    ).history
    predictions = model.predict(testing_padded, verbose=0)

    assert max(history["val_accuracy"]) > 0.8
    assert np.mean((predictions[:, 0] > 0.5) == y_test) > 0.8


@pytest.mark.parametrize("dropout", [None, "layers", "gates"])
def test_mlm_sequence_classification_imdb(reviews, dropout, capsys):
    """A tutorial with one LSTM over words, then with dropout between the layers, then with the LSTM's own."""
    (x_train, y_train), (x_test, y_test) = reviews
    max_review_length = 30
    x_train = pad_sequences(x_train, maxlen=max_review_length)
    x_test = pad_sequences(x_test, maxlen=max_review_length)
    embedding_vector_length = 32

    model = keras.Sequential()
    model.add(layers.Embedding(MAX_FEATURES, embedding_vector_length, input_length=max_review_length))
    if dropout == "layers":
        model.add(layers.Dropout(0.2))
    rates = {"dropout": 0.2, "recurrent_dropout": 0.2} if dropout == "gates" else {}
    model.add(layers.LSTM(32, **rates))
    if dropout == "layers":
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    print(model.summary())
    history = model.fit(x_train, y_train, epochs=5, batch_size=16, verbose=0).history
    scores = model.evaluate(x_test, y_test, verbose=0)

    assert "unbuilt" in capsys.readouterr().out
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert scores[1] > 0.6
