"""Programs that learn the next character, and then write."""

from __future__ import annotations

import re

import numpy as np

import numlstm as keras
from numlstm import layers
from numlstm.utils import to_categorical


def test_lstm_character_level_text_generation():
    """lstm_character_level_text_generation of keras.io."""
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

    model = keras.Sequential(
        [
            keras.Input(shape=(maxlen, len(chars))),
            layers.LSTM(128),
            layers.Dense(len(chars), activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate=0.005)
    model.compile(loss="categorical_crossentropy", optimizer=optimizer)
    history = model.fit(x, y, batch_size=32, epochs=20, verbose=0)

    assert history.history["loss"][0] > 2.5
    assert min(history.history["loss"]) < 0.1
    sentence = text[:maxlen]
    for _ in range(40):
        x_pred = np.zeros((1, maxlen, len(chars)))
        for t, char in enumerate(sentence[-maxlen:]):
            x_pred[0, t, char_indices[char]] = 1.0
        preds = model.predict(x_pred, verbose=0)[0]
        sentence += indices_char[int(np.argmax(preds))]
    assert sentence == text[: maxlen + 40]


def test_mlm_text_generation(random, tmp_path):
    """Two stacked LSTMs with dropout read characters as numbers from 0 to 1; the best weights are kept in files.

    The file's name has another ending than in the program, because its format is not Keras'.
    """
    raw_text = "alice was beginning to get very tired of sitting by her sister. " * 8
    chars = sorted(set(raw_text))
    char_to_int = {c: i for i, c in enumerate(chars)}
    int_to_char = dict(enumerate(chars))
    n_chars, n_vocab = len(raw_text), len(chars)
    seq_length = 20
    data_x, data_y = [], []
    for i in range(n_chars - seq_length):
        data_x.append([char_to_int[char] for char in raw_text[i : i + seq_length]])
        data_y.append(char_to_int[raw_text[i + seq_length]])
    n_patterns = len(data_x)
    x = np.reshape(data_x, (n_patterns, seq_length, 1)) / float(n_vocab)
    y = to_categorical(data_y)

    def make():
        model = keras.Sequential()
        model.add(layers.LSTM(64, input_shape=(x.shape[1], x.shape[2]), return_sequences=True))
        model.add(layers.Dropout(0.05))
        model.add(layers.LSTM(64))
        model.add(layers.Dropout(0.05))
        model.add(layers.Dense(y.shape[1], activation="softmax"))
        return model

    model = make()
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.007))
    filepath = str(tmp_path / "weights-improvement-{epoch:02d}-{loss:.4f}.safetensors")
    checkpoint = keras.callbacks.ModelCheckpoint(filepath, monitor="loss", verbose=0, save_best_only=True, mode="min")
    history = model.fit(x, y, epochs=40, batch_size=32, callbacks=[checkpoint], verbose=0).history

    names = sorted(path.name for path in tmp_path.iterdir())
    best = min(float(re.search(r"-([0-9.]+)\.safetensors", name).group(1)) for name in names)
    assert best == round(min(history["loss"]), 4)
    model = make()
    model.load_weights(next(tmp_path / name for name in names if f"-{best:.4f}." in name))
    start = 5
    pattern = list(data_x[start])
    result = ""
    for _ in range(30):
        x = np.reshape(pattern, (1, len(pattern), 1)) / float(n_vocab)
        prediction = model.predict(x, verbose=0)
        index = int(np.argmax(prediction))
        result += int_to_char[index]
        pattern = [*pattern[1:], index]
    assert result == raw_text[start + seq_length :][:30]
