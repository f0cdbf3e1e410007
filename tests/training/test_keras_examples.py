"""Keras' public examples with imports changed and local data: they run, and they learn.

Smaller than there, so that each takes seconds: fewer data, fewer epochs.
"""

from __future__ import annotations

import numpy as np

import numlstm
from numlstm import Input, Sequential, optimizers
from numlstm.layers import LSTM, Bidirectional, Dense, Embedding, RepeatVector
from numlstm.utils import pad_sequences


def test_character_level_text_generation():
    """https://keras.io/examples/generative/lstm_character_level_text_generation/."""
    numlstm.set_seed(0)
    text = "the quick brown fox jumps over the lazy dog; pack my box with five dozen liquor jugs. " * 12
    chars = sorted(set(text))
    char_indices = {c: i for i, c in enumerate(chars)}
    indices_char = dict(enumerate(chars))
    maxlen, step = 40, 3
    sentences, next_chars = [], []
    for i in range(0, len(text) - maxlen, step):
        sentences.append(text[i : i + maxlen])
        next_chars.append(text[i + maxlen])
    x = np.zeros((len(sentences), maxlen, len(chars)), dtype="bool")
    y = np.zeros((len(sentences), len(chars)), dtype="bool")
    for i, sentence in enumerate(sentences):
        for t, char in enumerate(sentence):
            x[i, t, char_indices[char]] = 1
        y[i, char_indices[next_chars[i]]] = 1

    model = Sequential([Input(shape=(maxlen, len(chars))), LSTM(128), Dense(len(chars), activation="softmax")])
    optimizer = optimizers.RMSprop(learning_rate=0.01)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    history = model.fit(x, y, batch_size=32, epochs=14, verbose=0)

    assert history.history["loss"][0] > 2.5
    assert history.history["loss"][-1] < 0.1
    sentence = text[:maxlen]
    for _ in range(40):
        x_pred = np.zeros((1, maxlen, len(chars)))
        for t, char in enumerate(sentence[-maxlen:]):
            x_pred[0, t, char_indices[char]] = 1.0
        preds = model.predict(x_pred, verbose=0)[0]
        sentence += indices_char[int(np.argmax(preds))]
    assert sentence == text[: maxlen + 40]


def test_addition_from_sequence_to_sequence():
    """https://keras.io/examples/nlp/addition_rnn/, with numbers of up to two digits."""
    numlstm.set_seed(0)
    random = np.random.default_rng(0)
    DIGITS, REVERSE = 2, True
    MAXLEN = DIGITS + 1 + DIGITS
    chars = "0123456789+ "
    char_indices = {c: i for i, c in enumerate(chars)}

    def encode(C, num_rows):
        x = np.zeros((num_rows, len(chars)))
        for i, c in enumerate(C):
            x[i, char_indices[c]] = 1
        return x

    questions, expected = [], []
    for a in range(100):
        for b in range(100):
            query = f"{a}+{b}".ljust(MAXLEN)
            questions.append(query[::-1] if REVERSE else query)
            expected.append(str(a + b).ljust(DIGITS + 1))
    x = np.array([encode(sentence, MAXLEN) for sentence in questions], bool)
    y = np.array([encode(sentence, DIGITS + 1) for sentence in expected], bool)
    indices = random.permutation(len(y))
    x, y = x[indices], y[indices]
    split_at = len(x) - len(x) // 10
    (x_train, x_val), (y_train, y_val) = (x[:split_at], x[split_at:]), (y[:split_at], y[split_at:])

    num_layers = 1
    model = Sequential()
    model.add(Input((MAXLEN, len(chars))))
    model.add(LSTM(128))
    model.add(RepeatVector(DIGITS + 1))
    for _ in range(num_layers):
        model.add(LSTM(128, return_sequences=True))
    model.add(Dense(len(chars), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=optimizers.Adam(0.004), metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=32, epochs=6, validation_data=(x_val, y_val), verbose=0).history

    assert history["accuracy"][0] < 0.6
    assert history["val_accuracy"][-1] > 0.85


def test_bidirectional_sentiment():
    """https://keras.io/examples/nlp/bidirectional_lstm_imdb/ as a Sequential, on reviews of made-up words.

    A review is good if it has more good words than bad ones, where "not" turns the next word round.
    """
    numlstm.set_seed(0)
    random = np.random.default_rng(0)
    max_features, maxlen, NOT = 40, 30, 1
    lengths = random.integers(10, maxlen + 1, size=1600)
    reviews = [random.integers(2, max_features, size=length) for length in lengths]
    for review in reviews:
        review[random.uniform(size=len(review)) < 0.1] = NOT
    value = np.concatenate([np.zeros(2), np.ones(10), -np.ones(10), np.zeros(max_features - 22)])

    def mood(review):
        values = value[review]
        values[1:] *= np.where(review[:-1] == NOT, -1, 1)
        return values.sum()

    kept = [review for review in reviews if mood(review)]
    y = np.array([mood(review) > 0 for review in kept], int)
    x = pad_sequences(kept, maxlen=maxlen)
    held = len(x) // 5
    (x_train, x_val), (y_train, y_val) = (x[held:], x[:held]), (y[held:], y[:held])

    model = Sequential(
        [
            Input(shape=(None,), dtype="int32"),
            Embedding(max_features, 32, mask_zero=True),
            Bidirectional(LSTM(16, return_sequences=True)),
            Bidirectional(LSTM(16)),
            Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer=optimizers.Adam(0.005), loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=32, epochs=10, validation_data=(x_val, y_val), verbose=0).history

    assert history["val_accuracy"][-1] > 0.9
