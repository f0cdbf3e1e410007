"""Programs that answer questions about a story: two inputs, which are merged."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm as keras
from numlstm import layers
from numlstm.utils import pad_sequences


@pytest.mark.parametrize("merge", ["concatenate", "add"])
def test_babi_rnn(random, merge):
    """babi_rnn of Keras' older examples: where is Mary? The answer is where she went last.

    The program's second version adds the question to each word of the story.
    """
    names, places = ["mary", "john"], ["kitchen", "garden", "hall"]

    def make(count):
        data = []
        for _ in range(count):
            story, where = [], {}
            for _ in range(random.integers(2, 4)):
                name, place = str(random.choice(names)), str(random.choice(places))
                where[name] = place
                story += [name, "went", "to", "the", place, "."]
            name = str(random.choice(list(where)))
            data.append((story, ["where", "is", name, "?"], where[name]))
        return data

    train, test = make(800), make(200)
    vocab = sorted({word for story, query, answer in train + test for word in [*story, *query, answer]})
    vocab_size = len(vocab) + 1
    word_idx = {word: i + 1 for i, word in enumerate(vocab)}
    story_maxlen = max(len(story) for story, _, _ in train + test)
    query_maxlen = max(len(query) for _, query, _ in train + test)

    def vectorize_stories(data):
        xs, xqs, ys = [], [], []
        for story, query, answer in data:
            xs.append([word_idx[word] for word in story])
            xqs.append([word_idx[word] for word in query])
            y = np.zeros(len(word_idx) + 1)
            y[word_idx[answer]] = 1
            ys.append(y)
        return pad_sequences(xs, maxlen=story_maxlen), pad_sequences(xqs, maxlen=query_maxlen), np.array(ys)

    x, xq, y = vectorize_stories(train)
    tx, txq, ty = vectorize_stories(test)
    embed_hidden_size, sent_hidden_size, query_hidden_size = 24, 48, 24

    sentence = layers.Input(shape=(story_maxlen,), dtype="int32")
    question = layers.Input(shape=(query_maxlen,), dtype="int32")
    encoded_sentence = layers.Embedding(vocab_size, embed_hidden_size)(sentence)
    encoded_question = layers.Embedding(vocab_size, embed_hidden_size)(question)
    if merge == "concatenate":
        encoded_sentence = layers.LSTM(sent_hidden_size)(encoded_sentence)
        encoded_question = layers.LSTM(query_hidden_size)(encoded_question)
        merged = layers.concatenate([encoded_sentence, encoded_question])
    else:
        encoded_sentence = layers.Dropout(0.05)(encoded_sentence)
        encoded_question = layers.Dropout(0.05)(encoded_question)
        encoded_question = layers.LSTM(embed_hidden_size)(encoded_question)
        encoded_question = layers.RepeatVector(story_maxlen)(encoded_question)
        merged = layers.add([encoded_sentence, encoded_question])
        merged = layers.LSTM(sent_hidden_size)(merged)
        merged = layers.Dropout(0.05)(merged)
    preds = layers.Dense(vocab_size, activation="softmax")(merged)

    model = keras.Model([sentence, question], preds)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit([x, xq], y, batch_size=32, epochs=40, validation_split=0.05, verbose=0)
    _loss, acc = model.evaluate([tx, txq], ty, batch_size=32, verbose=0)

    # Of three places. Where the layers are merged late, the LSTM does not know yet who is asked for.
    assert acc > {"concatenate": 0.6, "add": 0.9}[merge]
