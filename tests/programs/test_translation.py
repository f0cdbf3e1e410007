"""Programs that turn one sequence into another one: characters to characters, from an encoder to a decoder."""

from __future__ import annotations

import numpy as np

import numlstm as keras
from numlstm import layers


def test_lstm_seq2seq(random, tmp_path):
    """lstm_seq2seq of keras.io: words of two to four letters are translated into their reverse.

    The encoder and the decoder are cut out of the model that a file brings back. Keras counts the inputs among
    `model.layers`, numlstm does not.
    """
    batch_size, epochs, latent_dim = 16, 40, 64
    words = sorted({"".join(random.choice(list("abcde"), random.integers(2, 5))) for _ in range(500)})
    random.shuffle(words)
    input_texts = words
    target_texts = ["\t" + word[::-1] + "\n" for word in words]
    input_characters = sorted({*"".join(input_texts), " "})
    target_characters = sorted({*"".join(target_texts), " "})
    num_encoder_tokens, num_decoder_tokens = len(input_characters), len(target_characters)
    max_encoder_seq_length = max(len(text) for text in input_texts)
    max_decoder_seq_length = max(len(text) for text in target_texts)
    input_token_index = {char: i for i, char in enumerate(input_characters)}
    target_token_index = {char: i for i, char in enumerate(target_characters)}

    encoder_input_data = np.zeros((len(input_texts), max_encoder_seq_length, num_encoder_tokens), dtype="float32")
    decoder_input_data = np.zeros((len(input_texts), max_decoder_seq_length, num_decoder_tokens), dtype="float32")
    decoder_target_data = np.zeros((len(input_texts), max_decoder_seq_length, num_decoder_tokens), dtype="float32")
    for i, (input_text, target_text) in enumerate(zip(input_texts, target_texts, strict=True)):
        for t, char in enumerate(input_text):
            encoder_input_data[i, t, input_token_index[char]] = 1.0
        encoder_input_data[i, len(input_text) :, input_token_index[" "]] = 1.0
        for t, char in enumerate(target_text):
            decoder_input_data[i, t, target_token_index[char]] = 1.0
            if t > 0:
                decoder_target_data[i, t - 1, target_token_index[char]] = 1.0
        decoder_input_data[i, len(target_text) :, target_token_index[" "]] = 1.0
        decoder_target_data[i, len(target_text) - 1 :, target_token_index[" "]] = 1.0

    encoder_inputs = keras.Input(shape=(None, num_encoder_tokens))
    encoder = layers.LSTM(latent_dim, return_state=True)
    _encoder_outputs, state_h, state_c = encoder(encoder_inputs)
    encoder_states = [state_h, state_c]
    decoder_inputs = keras.Input(shape=(None, num_decoder_tokens))
    decoder_lstm = layers.LSTM(latent_dim, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_dense = layers.Dense(num_decoder_tokens, activation="softmax")
    decoder_outputs = decoder_dense(decoder_outputs)
    model = keras.Model([encoder_inputs, decoder_inputs], decoder_outputs)

    model.compile(optimizer=keras.optimizers.RMSprop(0.005), loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        [encoder_input_data, decoder_input_data],
        decoder_target_data,
        batch_size=batch_size,
        epochs=epochs,
        validation_split=0.2,
        verbose=0,
    ).history
    model.save(tmp_path / "s2s_model.safetensors")

    restored = keras.load_model(tmp_path / "s2s_model.safetensors")
    data = [encoder_input_data, decoder_input_data]
    np.testing.assert_array_equal(restored.predict(data, verbose=0), model.predict(data, verbose=0))
    model = restored
    encoder, decoder_lstm, decoder_dense = model.layers
    encoder_inputs, decoder_inputs = model.input
    _encoder_outputs, state_h_enc, state_c_enc = encoder.output
    encoder_model = keras.Model(encoder_inputs, [state_h_enc, state_c_enc])
    decoder_state_input_h = keras.Input(shape=(latent_dim,))
    decoder_state_input_c = keras.Input(shape=(latent_dim,))
    decoder_states_inputs = [decoder_state_input_h, decoder_state_input_c]
    decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=decoder_states_inputs)
    decoder_states = [state_h, state_c]
    decoder_outputs = decoder_dense(decoder_outputs)
    decoder_model = keras.Model([decoder_inputs, *decoder_states_inputs], [decoder_outputs, *decoder_states])

    reverse_target_char_index = {i: char for char, i in target_token_index.items()}

    def decode_sequence(input_seq):
        states_value = encoder_model.predict(input_seq, verbose=0)
        target_seq = np.zeros((1, 1, num_decoder_tokens))
        target_seq[0, 0, target_token_index["\t"]] = 1.0
        decoded_sentence = ""
        while not decoded_sentence.endswith("\n") and len(decoded_sentence) <= max_decoder_seq_length:
            output_tokens, h, c = decoder_model.predict([target_seq, *states_value], verbose=0)
            sampled_token_index = int(np.argmax(output_tokens[0, -1, :]))
            decoded_sentence += reverse_target_char_index[sampled_token_index]
            target_seq = np.zeros((1, 1, num_decoder_tokens))
            target_seq[0, 0, sampled_token_index] = 1.0
            states_value = [h, c]
        return decoded_sentence

    assert history["val_accuracy"][-1] > 0.95
    decoded = [decode_sequence(encoder_input_data[i : i + 1]) for i in range(20)]
    assert decoded == [word[::-1] + "\n" for word in words[:20]]


def test_addition_rnn(random):
    """addition_rnn of keras.io: sums of two numbers of up to two digits, character by character."""
    digits, reverse = 2, True
    max_length = digits + 1 + digits
    chars = "0123456789+ "
    char_indices = {c: i for i, c in enumerate(chars)}

    def encode(text, num_rows):
        x = np.zeros((num_rows, len(chars)))
        for i, c in enumerate(text):
            x[i, char_indices[c]] = 1
        return x

    questions, expected = [], []
    for a in range(100):
        for b in range(100):
            query = f"{a}+{b}".ljust(max_length)
            questions.append(query[::-1] if reverse else query)
            expected.append(str(a + b).ljust(digits + 1))
    x = np.array([encode(sentence, max_length) for sentence in questions], bool)
    y = np.array([encode(sentence, digits + 1) for sentence in expected], bool)
    indices = random.permutation(len(y))
    x, y = x[indices], y[indices]
    split_at = len(x) - len(x) // 10
    (x_train, x_val), (y_train, y_val) = (x[:split_at], x[split_at:]), (y[:split_at], y[split_at:])

    num_layers = 1
    model = keras.Sequential()
    model.add(keras.Input((max_length, len(chars))))
    model.add(layers.LSTM(96))
    model.add(layers.RepeatVector(digits + 1))
    for _ in range(num_layers):
        model.add(layers.LSTM(96, return_sequences=True))
    model.add(layers.Dense(len(chars), activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.01), metrics=["accuracy"])
    history = model.fit(x_train, y_train, batch_size=64, epochs=5, validation_data=(x_val, y_val), verbose=0).history

    assert history["accuracy"][0] < 0.6
    assert history["val_accuracy"][-1] > 0.85


def test_translation_with_attention(random):
    """An encoder and a decoder with dot-product attention (Luong, Pham & Manning 2015) reverse sequences.

    The decoder's steps look at all steps of the encoder. Padding has the number 0, which the masks leave out.
    """
    start, first, vocab_size, longest = 1, 2, 10, 7
    lengths = random.integers(3, longest + 1, 700)
    sources = [random.integers(first, vocab_size, length).tolist() for length in lengths]
    x = keras.utils.pad_sequences(sources, padding="post")
    y = keras.utils.pad_sequences([source[::-1] for source in sources], padding="post")
    y_in = np.concatenate([np.full((len(y), 1), start), y[:, :-1]], axis=1)

    source = keras.Input(shape=(None,), dtype="int32", name="source")
    target = keras.Input(shape=(None,), dtype="int32", name="target")
    embedded = layers.Embedding(vocab_size, 16, mask_zero=True)(source)
    encoded = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(embedded)
    context = layers.LSTM(32, return_sequences=True, return_state=True)
    keys, *state = context(encoded)
    queries = layers.LSTM(32, return_sequences=True)(
        layers.Embedding(vocab_size, 16, mask_zero=True)(target), initial_state=state
    )
    seen, weights = layers.Attention()([queries, keys], return_attention_scores=True)
    joined = layers.Concatenate()([queries, seen])
    hidden = layers.Dense(32, activation="tanh")(joined)
    outputs = layers.Dense(vocab_size, activation="softmax")(hidden)
    model = keras.Model([source, target], outputs)
    model.compile(
        optimizer=keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"]
    )
    history = model.fit([x, y_in], y, batch_size=32, epochs=10, validation_split=0.1, verbose=0).history

    assert history["val_accuracy"][-1] > 0.95
    tested = x[-70:]
    written = np.full((len(tested), 1), start)
    for _ in range(longest):
        following = model.predict({"source": tested, "target": written}, verbose=0)[:, -1].argmax(axis=-1)
        written = np.concatenate([written, following[:, None]], axis=1)
    right = [
        row[1 : 1 + np.count_nonzero(text)].tolist() == text[text > 0][::-1].tolist()
        for row, text in zip(written, tested, strict=True)
    ]
    assert np.mean(right) > 0.9
    # The decoder's first step looks at the source's last steps, and at no padding.
    shown = keras.Model([source, target], weights).predict([tested, y_in[-70:]], verbose=0)
    np.testing.assert_allclose(shown.sum(axis=-1)[:, 0], 1, rtol=1e-5)
    assert not shown[:, 0][tested == 0].any()
