"""Models of graphs: several inputs and outputs, shared layers, states handed over, models cut out of others."""

import numpy as np
import pytest
from differences import model_gradient_error

import numlstm
from numlstm import Input, Model, Sequential
from numlstm.layers import (
    GRU,
    LSTM,
    AdditiveAttention,
    Attention,
    Bidirectional,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Masking,
    RepeatVector,
    Subtract,
)

B, T, F, H = 11, 7, 3, 5


@pytest.fixture
def random():
    numlstm.set_seed(3)
    return np.random.default_rng(5)


@pytest.fixture
def x(random):
    return random.normal(size=(B, T, F))


def forecaster(dtype="float64"):
    """Two outputs, of which one reads the state of the other's layer, and a layer that is called twice."""
    x = Input((None, F), name="past")
    shared = LSTM(H, return_state=True, return_sequences=True, dtype=dtype)
    first, *state = shared(x)
    second, h, _ = shared(first) if F == H else shared(x, initial_state=state)
    return Model(x, [Dense(1, dtype=dtype, name="steps")(second), Dense(2, dtype=dtype, name="last")(h)])


def test_two_outputs_are_trained(random, x):
    model = forecaster("float32")
    model.compile(numlstm.optimizers.Adam(0.02), loss=["mse", "mae"], loss_weights=[1.0, 0.5], metrics=[["mae"], None])
    y = [x[:, :, :1].cumsum(axis=1), x[:, -1, :2]]
    history = model.fit(x, y, epochs=60, batch_size=4, verbose=0, validation_split=0.2).history
    assert list(history) == [
        "loss", "steps_loss", "last_loss", "steps_mae",
        "val_loss", "val_steps_loss", "val_last_loss", "val_steps_mae",
    ]  # fmt: skip
    assert history["loss"] == pytest.approx(np.add(history["steps_loss"], 0.5 * np.array(history["last_loss"])))
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    loss, first, second, mae = model.evaluate(x, {"last": y[1], "steps": y[0]}, verbose=0)
    outputs = model.predict({"past": x})
    assert [output.shape for output in outputs] == [(B, T, 1), (B, 2)]
    assert first == pytest.approx(np.mean((outputs[0] - y[0]) ** 2), rel=1e-5)
    assert second == pytest.approx(np.mean(np.abs(outputs[1] - y[1])), rel=1e-5)
    assert (loss, mae) == pytest.approx((first + 0.5 * second, np.mean(np.abs(outputs[0] - y[0]))), rel=1e-5)


def test_gradients_of_shared_layers_and_states(random, x):
    assert model_gradient_error(forecaster(), [x], random) < 1e-6


def test_gradients_where_an_output_is_read_by_others_too(random, x):
    given = Input((T, F))
    h = LSTM(H, return_sequences=True, dtype="float64")(given)
    flat = Flatten(dtype="float64")(h)
    last = GRU(4, dtype="float64")(h)
    assert model_gradient_error(Model(given, [h, flat, last, h, Dense(2, dtype="float64")(flat)]), [x], random) < 1e-6


def test_gradients_of_an_encoder_and_a_decoder(random, x):
    numbers = {"dtype": "float64"}
    source, target = Input((None, F)), Input((None,))
    _, *state = Bidirectional(LSTM(H, return_state=True, **numbers))(source)
    embedded = Embedding(6, 4, mask_zero=True, **numbers)(target)
    decoded, *_ = Bidirectional(LSTM(H, return_state=True, return_sequences=True, **numbers), merge_mode=None)(
        embedded, initial_state=state
    )
    model = Model([source, target], [Dense(2, **numbers)(decoded), *state[1:2]])
    assert model_gradient_error(model, [x, random.integers(0, 6, (B, 4))], random) < 1e-6


def test_an_unread_output_has_no_gradient(random, x):
    given = Input((T, F))
    *_, c = LSTM(H, return_state=True, return_sequences=True, dtype="float64")(given)
    assert model_gradient_error(Model(given, Dense(1, dtype="float64")(c)), [x], random) < 1e-6


def test_gradients_of_a_state_that_is_handed_over_twice(random, x):
    """The state's last reader is one part of a call's state, and another part adds to its gradient."""
    numbers = {"dtype": "float64"}
    given = Input((T, F))
    _, h = GRU(H, return_state=True, **numbers)(given)
    y = LSTM(H, **numbers)(given, initial_state=[h, h])
    assert model_gradient_error(Model(given, y), [x], random) < 1e-6


def test_recorded_steps_give_the_same_bits(random, x, monkeypatch):
    """From the third step of a batch shape on, the step is replayed."""
    backend = numlstm.backend.load("cpu")
    y = [x[:, :, :1], x[:, -1, :2]]

    replays = []
    record = backend.record
    monkeypatch.setattr(backend, "record", lambda step: replays.append(record(step)) or replays[-1])

    def fresh():
        numlstm.set_seed(3)
        model = forecaster("float32")
        model.compile("adam", loss="mse")
        return model

    fitted, stepped, unrecorded = fresh(), fresh(), fresh()
    fitted.fit(x, y, batch_size=B, epochs=6, shuffle=False, verbose=0)
    assert len(replays) == 1
    for _ in range(6):
        stepped.train_on_batch(x, y)
    assert len(replays) == 2
    monkeypatch.setattr(backend, "record", lambda step: (step(), step)[1])
    unrecorded.fit(x, y, batch_size=B, epochs=6, shuffle=False, verbose=0)
    for a, b, c in zip(*(model.get_weights() for model in (fitted, stepped, unrecorded)), strict=True):
        np.testing.assert_array_equal(a, c)
        np.testing.assert_array_equal(b, c)


def test_a_graph_that_is_a_chain_is_the_sequential(random, x):
    """Losses and weights have the same bits."""
    y = x[:, -1, :1]
    numlstm.set_seed(1)
    chain = Sequential([Input((T, F)), LSTM(H), Dropout(0.2, seed=4), Dense(1)])
    numlstm.set_seed(1)
    given = Input((T, F))
    graph = Model(given, Dense(1)(Dropout(0.2, seed=4)(LSTM(H)(given))))
    histories = []
    for model in (chain, graph):
        numlstm.set_seed(2)
        model.compile("adam", "mse")
        histories.append(model.fit(x, y, epochs=3, batch_size=4, verbose=0).history)
    assert histories[0] == histories[1]
    for a, b in zip(chain.get_weights(), graph.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# Models that share layers


def seq2seq():
    """Keras' lstm_seq2seq: the training model, and the encoder and the decoder that are cut out of it."""
    source = Input((None, F), name="source")
    _, *state = LSTM(H, return_state=True)(source)
    target = Input((None, F), name="target")
    decoder = LSTM(H, return_sequences=True, return_state=True)
    dense = Dense(F, activation="softmax")
    output = dense(decoder(target, initial_state=state)[0])
    model = Model([source, target], output)
    encoder_model = Model(source, state)
    given = [Input((H,), name="h"), Input((H,), name="c")]
    decoded, *after = decoder(target, initial_state=given)
    return model, encoder_model, Model([target, *given], [dense(decoded), *after])


def test_models_cut_out_of_a_trained_one(random, x):
    model, encoder, decoder = seq2seq()
    target = np.eye(F)[random.integers(0, F, (B, 4))]
    model.compile("rmsprop", "categorical_crossentropy")
    before = encoder.predict(x)
    model.fit([x, target], np.roll(target, -1, axis=1), epochs=2, verbose=0)
    state = encoder.predict(x)
    assert not np.allclose(before[0], state[0])
    whole, steps = model.predict([x, target]), []
    for t in range(4):
        y, *state = decoder.predict([target[:, t : t + 1], *state])
        steps.append(y)
    np.testing.assert_array_equal(np.concatenate(steps, axis=1), whole)


def test_a_model_may_train_what_another_one_trained(random, x):
    """The weights move to the buffers of the model that trains, and the optimizers keep their states."""
    given = Input((T, F))
    hidden = LSTM(H)(given)
    one, two = Model(given, Dense(1)(hidden)), Model(given, Dense(2)(hidden))
    for model in (one, two):
        model.compile("adam", "mse")
    for _ in range(3):
        one.fit(x, x[:, -1, :1], verbose=0)
        shared = two.layers[0].get_weights()
        np.testing.assert_array_equal(one.layers[0].get_weights()[0], shared[0])
        two.fit(x, x[:, -1, 1:], verbose=0)
        assert not np.array_equal(one.get_weights()[0], shared[0])
    assert (one.optimizer.iterations, two.optimizer.iterations) == (3, 3)


def test_a_layer_in_training_is_not_taken_away(x):
    given = Input((T, F))
    hidden = LSTM(H)(given)
    one, two = Model(given, Dense(1)(hidden)), Model(given, Dense(2)(hidden))
    one.compile("sgd", "mse")
    two.compile("sgd", "mse")

    class Greedy(numlstm.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            two.predict(x)  # Reads the weights where they are.
            with pytest.raises(
                ValueError, match=rf"layer '{one.layers[0].name}' is being trained by model '{one.name}'"
            ):
                two.fit(x, x[:, -1, 1:], verbose=0)

    one.fit(x, x[:, -1, :1], verbose=0, callbacks=Greedy())


def test_an_autoencoder_gives_its_encoder(random, x):
    model = Sequential([LSTM(H, input_shape=(T, F)), RepeatVector(T), LSTM(H, return_sequences=True), Dense(F)])
    model.compile("adam", "mse")
    model.fit(x, x, verbose=0)
    encoder = Model(inputs=model.inputs, outputs=model.layers[0].output)
    np.testing.assert_allclose(encoder.predict(x), model.layers[0](x), rtol=1e-6)
    assert encoder.output_shape == (None, H)


def test_models_are_called_like_layers(random, x):
    encoder = Sequential([LSTM(4, return_sequences=True), LSTM(H)], name="encoder")
    a, b = Input((T, F)), Input((T, F))
    left, right = encoder(a), encoder(b)
    head = Model([first := Input((H,)), second := Input((H,))], [Dense(2)(first), Dense(2)(second)])
    model = Model([a, b], head([left, right]))
    assert model.layers[:2] == encoder.layers
    outputs = model.predict([x, x[::-1]])
    hidden = encoder.predict(x)
    np.testing.assert_allclose(outputs[0], head.predict([hidden, hidden[::-1]])[0], rtol=1e-5, atol=1e-6)


def test_a_model_names_its_inputs_and_outputs():
    a, b = Input((T, F)), Input((H,))
    one, two = LSTM(2)(a), Dense(2)(b)
    model = Model([a, b], one)
    assert (model.input, model.output) == ([a, b], one)
    model = Model({"left": a, "right": b}, {"one": one, "two": two})
    assert (model.input, model.output) == ({"left": a, "right": b}, {"one": one, "two": two})
    chain = Sequential([LSTM(2, input_shape=(T, F)), Dense(1)])
    assert Model(chain.input, chain.layers[0].output).output_shape == (None, 2)
    with pytest.raises(ValueError, match="has no weights yet"):
        _ = Sequential([Dense(1)]).input


def test_states_of_return_state(x):
    """Jason Brownlee's LSTM that returns its states: outputs [y, h, c]."""
    given = Input((T, F))
    y, h, c = Model(given, LSTM(H, return_state=True)(given)).predict(x)
    np.testing.assert_array_equal(y, h)
    assert c.shape == (B, H)


# Data, files and texts


def test_sample_weights_by_output(random, x):
    model = forecaster("float32")
    model.compile("sgd", {"steps": "mse", "last": "mse"}, weighted_metrics={"last": ["mae"]})
    y, weights = [x[:, :, :1], x[:, -1, :2]], random.random(B)
    outputs = model.predict(x)
    losses = model.evaluate(x, y, sample_weight={"last": weights}, verbose=0, return_dict=True)
    squares = np.mean((outputs[1] - y[1]) ** 2, axis=1)
    assert losses["last_loss"] == pytest.approx(np.mean(squares * weights), rel=1e-5)
    assert losses["steps_loss"] == pytest.approx(np.mean((outputs[0] - y[0]) ** 2), rel=1e-5)
    absolute = np.abs(outputs[1] - y[1]).mean(axis=1)
    assert losses["last_mae"] == pytest.approx(np.average(absolute, weights=weights), rel=1e-5)


def test_an_output_without_a_loss_is_not_trained(x):
    model = forecaster("float32")
    model.compile("sgd", {"last": "mse"})
    before = model.get_layer("steps").get_weights()
    history = model.fit(x, {"last": x[:, -1, :2]}, verbose=0).history
    assert list(history) == ["loss", "last_loss"]
    np.testing.assert_array_equal(model.get_layer("steps").get_weights()[0], before[0])


def test_dicts_in_and_out(x):
    a, b = Input((T, F), name="a"), Input((H,), name="b")
    shared = Dense(2)
    model = Model({"left": a, "right": b}, {"one": LSTM(2)(a), "two": shared(b)})
    model.compile("sgd", {"one": "mse", "two": "mae"})
    data = {"right": np.ones((B, H)), "left": x}
    model.fit(data, {"one": x[:, 0, :2], "two": np.zeros((B, 2))}, verbose=0)
    assert list(model.predict(data)) == ["one", "two"]
    batches = [(data, {"one": x[:, 0, :2], "two": np.zeros((B, 2))})] * 2
    model.fit(iter(batches), verbose=0)


def test_a_file_brings_the_graph_back(tmp_path, x):
    model, *_ = seq2seq()
    target = np.ones((B, 4, F))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit([x, target], target, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    assert type(loaded) is Model
    assert loaded.input_names == ["source", "target"]
    np.testing.assert_array_equal(loaded.predict([x, target]), model.predict([x, target]))
    losses = [each.fit([x, target], target, verbose=0, shuffle=False).history for each in (model, loaded)]
    assert losses[0] == losses[1]
    other = seq2seq()[0]
    other.load_weights(tmp_path / "model.safetensors")
    two = forecaster("float32")
    two.compile("sgd", ["mse", "mae"], [1, 2], metrics={"last": "mse"})
    two.save(tmp_path / "two.safetensors")
    loaded = numlstm.load_model(tmp_path / "two.safetensors")
    for one, other in zip(two.predict(x), loaded.predict(x), strict=True):
        np.testing.assert_array_equal(one, other)
    assert [type(loss).__name__ for loss in loaded.loss] == ["MeanSquaredError", "MeanAbsoluteError"]


def test_a_file_keeps_that_nothing_is_merged(tmp_path, x):
    """merge_mode=None is not the default."""
    given = Input((T, F))
    model = Model(given, Bidirectional(LSTM(H), merge_mode=None)(given))
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    for one, other in zip(loaded.predict(x), model.predict(x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_goes_on_from_a_checkpoint(tmp_path, x):
    y = [x[:, :, :1], x[:, -1, :2]]

    def fitted(epochs, **options):
        numlstm.set_seed(4)
        model = forecaster("float32")
        model.compile("adam", ["mse", "mae"], [1.0, 0.3])
        history = model.fit(x, y, epochs=epochs, batch_size=4, verbose=0, **options).history
        return history, model.get_weights()

    place = tmp_path / "training.safetensors"
    fitted(2, checkpoint=place, checkpoint_every=1)
    whole, resumed = fitted(5), fitted(5, resume=place)
    assert whole[0] == resumed[0]
    for a, b in zip(whole[1], resumed[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_pieces_of_graphs(random):
    """Truncated BPTT carries the states of each call on."""
    x = random.normal(size=(4, 12, F))
    given = Input((None, F))
    hidden = LSTM(H, return_sequences=True)(given)
    model = Model(given, [Dense(1)(hidden), Dense(2)(LSTM(3, return_sequences=True)(hidden))])
    model.compile("sgd", "mse")
    y = [x[:, :, :1], x[:, :, 1:]]
    model.fit(x, y, tbptt=5, verbose=0)
    assert model.optimizer.iterations == 3
    model = forecaster("float32")
    model.compile("sgd", {"steps": "mse"})
    with pytest.raises(ValueError, match="is given an initial_state"):
        model.fit(x, {"steps": x[:, :, :1]}, tbptt=5, verbose=0)


def test_streams_of_graphs(random, x):
    given = Input((None, F))
    shared = LSTM(F, return_sequences=True)
    model = Model(given, Dense(2)(shared(shared(given))))
    stream = model.stream(B)
    steps = [stream.push(x[:, t]) for t in range(T)]
    np.testing.assert_array_equal(np.stack(steps, axis=1), model.predict(x))


def test_summary_shows_connections():
    lines = []
    forecaster().summary(lines.append)
    text = lines[0]
    assert "Connected to" in text
    assert "shared" in text
    assert "past (Input)" in text
    name = next(line.split()[0] for line in text.splitlines() if "(LSTM)" in line)
    assert f"{name}[1] (LSTM)" in text
    assert text.splitlines()[-3].endswith(f"{name}[1].1")


def test_masks_reach_the_loss(x):
    """Masked steps count neither in the loss nor in its gradient, over every path."""
    x[:, 4:] = 0
    given = Input((T, F))
    hidden = LSTM(H, return_sequences=True)(Masking()(given))
    model = Model(given, [Dense(1)(hidden), hidden])
    model.compile("sgd", "mse")
    y = [np.zeros((B, T, 1)), np.zeros((B, T, H))]
    outputs = model.predict(x)
    expected = [np.sum(np.mean(output[:, :4] ** 2, axis=-1)) / (4 * B) for output in outputs]
    assert model.evaluate(x, y, verbose=0)[1:] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda x: Model(x, 3), TypeError, "outputs of a model must be Inputs, or what layers .*, not 3"),
        (lambda x: Model([], x), ValueError, "inputs of a model must be at least one"),
        (lambda x: Model([x, x], Dense(1)(x)), ValueError, "same Input stands in it twice"),
        (lambda x: Model(x, x), ValueError, "has no layers"),
        (lambda x: Model(Input((2,)), Dense(1)(x)), ValueError, "need the input '.*', which is not among"),
        (lambda x: Model(x, Dense(1, name="a")(Dense(2, name="a")(x))), ValueError, "two layers named 'a'"),
        (lambda x: Dense(1)([x, np.ones(3)]), TypeError, "symbols such as an Input and with"),
        (lambda x: Embedding(3, 2)(Dense(1)(x)), ValueError, "takes ids, but its input is computed by layer"),
        (lambda x: LSTM(3)(x, mask=np.ones((2, T))), ValueError, "takes no mask, lengths or reset_mask in a model"),
        (
            lambda x: LSTM(3)(x, initial_state=[Input((3,))]),
            ValueError,
            r"2 symbols of shapes \(None, 3\), \(None, 3\)",
        ),
        (lambda x: LSTM(3, stateful=True)(x, initial_state=[Input((3,)), Input((3,))]), ValueError, "is stateful"),
        (
            lambda x: Model(x, Dense(1, dtype="float64")(Dense(1)(x))),
            ValueError,
            "is float64, but the model is float32",
        ),
        (lambda x: np.exp(x), TypeError, "holds no numbers"),
        (
            lambda x: LSTM(2)(LSTM(2, name="a")(x)),
            ValueError,
            "'a' returns its last.*return_sequences=True",
        ),
        (lambda x: Attention()([LSTM(2)(x)] * 2), ValueError, "returns its last output only"),
        (lambda x: LSTM(2)(Dense(1)(Flatten()(x))), ValueError, r"not shape \(None, 1\)"),
        (lambda x: Dense(1)(LSTM(3, return_state=True)(x)), TypeError, "list of 3 of them: unpack"),
        (lambda x: list(LSTM(3)(x)), TypeError, "return_state=True"),
        (lambda x: x + Dense(F)(x), TypeError, r"takes no operators: use layers, such as Add\(\)"),
        (lambda x: 1 - x, TypeError, "takes no operators"),
        (lambda x: x[:, -1], TypeError, "cannot be sliced"),
        (lambda x: Dropout(0.5)(x, training=True), ValueError, "while fit runs, and not in predict"),
        (lambda x: Sequential([Sequential([LSTM(2)]), Dense(1)]), TypeError, "call the model in a graph"),
        (lambda x: Model([x, Input((2,), name=x.name)], Dense(1)(x)), ValueError, "two inputs named"),
        (lambda x: Dense(2).output, ValueError, "called with symbols 0 times"),
    ],
    ids=range(25),
)
def test_graphs_that_are_refused(make, error, words):
    x = Input((T, F))
    with pytest.raises(error, match=words):
        make(x)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (
            lambda x: x,
            lambda y: y[:1],
            "y must be a list of 2 arrays, or a dict with 'steps' and 'last', not a list of 1",
        ),
        (lambda x: x, lambda y: {"steps": y[0]}, "y must be a dict with 'steps' and 'last', .*, but lacks 'last'$"),
        (
            lambda x: {"other": x},
            lambda y: y,
            "x must be a dict with 'past', the names in the model, but lacks 'past'.*has the unknown 'other'$",
        ),
        (lambda x: x, lambda y: y[1], "y must be a list of 2 arrays, .*, not an array of 11 samples$"),
        (lambda x: x, lambda y: [y[0][:3], y[1]], r"y\['steps'\]"),
    ],
    ids=range(5),
)
def test_data_that_are_refused(x, y, words):
    model = forecaster("float32")
    model.compile("sgd", "mse")
    data = np.zeros((B, T, F))
    with pytest.raises(ValueError, match=words.replace(" and ", ", ")):
        model.fit(x(data), y([data[:, :, :1], data[:, 0, :2]]), verbose=0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": ["mse"]}, "loss must be a list with an entry for each of the 2 outputs"),
        ({"loss": {"other": "mse"}}, "loss names 'other', but the model's outputs are 'steps', 'last'"),
        ({"loss": "mse", "loss_weights": 3}, "loss_weights must be a list"),
        ({"loss": [None, None]}, "at least one output"),
        ({"loss": "mse", "metrics": ["mae"]}, "metrics must be a list with an entry for each"),
        ({"loss": [None, "mse"], "metrics": [["mae"], []]}, "output 'steps' has metrics but no loss"),
    ],
    ids=range(6),
)
def test_choices_that_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        forecaster("float32").compile("sgd", **options)


def test_stateful_layers_of_a_graph_know_the_batch_size():
    given = Input(batch_shape=(4, T, F))
    model = Model(given, LSTM(3, stateful=True)(Dense(2)(given)))
    assert model.predict(np.ones((4, T, F)), batch_size=4).shape == (4, 3)
    with pytest.raises(ValueError, match="takes batches of 4 rows"):
        model.predict(np.ones((5, T, F)))


def test_a_summary_of_a_merge_shows_its_inputs():
    inputs = [Input((3,), name="price"), Input((3,), name="rate")]
    lines = []
    Model(inputs, Dense(1)(Subtract()(inputs))).summary(lines.append)
    assert "price, rate" in lines[0]


def test_states_beside_the_input_in_a_list(x):
    layer, state = LSTM(3), [np.ones((B, 3)), np.zeros((B, 3))]
    np.testing.assert_array_equal(layer([x, *state]), layer(x, initial_state=state))


def test_tbptt_refuses_what_is_no_sequence(x):
    given, other = Input((None, F)), Input((4,), name="static")
    model = Model([given, other], [LSTM(2, return_sequences=True)(given), Dense(2)(other)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"the input 'static' of shape \(None, 4\) is none"):
        model.fit([x, np.ones((B, 4))], [x[:, :, :2], np.ones((B, 2))], tbptt=2, verbose=0)


# What a breaker found


@pytest.mark.parametrize("layer", [Attention, AdditiveAttention], ids=lambda layer: layer.__name__)
def test_shapes_are_checked_without_a_loss(layer):
    """Kernels trust them: a key of another length than the value's would be read beyond its end."""
    query, value, key = Input((3, 4)), Input((None, 4)), Input((None, 4))
    model = Model([query, value, key], layer()([query, value, key]))
    parts = [np.ones((2, steps, 4)) for steps in (3, 5, 7)]
    for call in (model.predict, model, model.predict_on_batch):
        with pytest.raises(ValueError, match="takes a query"):
            call(parts)


def test_a_layer_of_a_graph_keeps_the_shapes_of_its_outputs():
    x = Input((T, F))
    joined, repeated, lstm = Concatenate(axis=1), RepeatVector(5), LSTM(4, return_sequences=True)
    models = [
        Model(x, GRU(3)(joined([x, x]))),
        Model(x, Flatten()(repeated(Dense(2)(Flatten()(x))))),
        Model(x, Dense(2)(lstm(x))),
    ]
    for layer, name, value in ((joined, "axis", -1), (repeated, "n", 7), (lstm, "return_sequences", False)):
        before = getattr(layer, name)
        with pytest.raises(ValueError, match="it has been called in a graph: make the layers and the model anew"):
            setattr(layer, name, value)
        assert getattr(layer, name) == before
    chain = Sequential([Dense(8, input_shape=(4,)), RepeatVector(5)])
    given = Input((4,))
    models.append(Model(given, Flatten()(chain(given))))
    with pytest.raises(ValueError, match="called in a graph"):
        chain.layers[1].n = 6
    assert [model.predict(np.ones((2, *model.input_shape[1:]))).shape[0] for model in models] == [2] * 4


def siblings():
    """Two models that share a layer."""
    numlstm.set_seed(0)
    x = Input((4,))
    hidden = Dense(5)(x)
    made = Model(x, Dense(2)(hidden)), Model(x, Dense(2)(hidden))
    for model in made:
        model.compile(numlstm.optimizers.SGD(0.1), "mse")
    return made


def test_batches_follow_the_weights(random):
    """Another model may have trained the layers between two steps, or a layer may have changed."""
    x, y = random.normal(size=(8, 4)), np.ones((8, 2))
    steps, fits = siblings(), siblings()
    for _ in range(4):
        for model, other in zip(steps, fits, strict=True):
            loss = model.train_on_batch(x, y)
            assert loss == other.fit(x, y, batch_size=8, shuffle=False, verbose=0).history["loss"][0]
    for model, other in zip(steps, fits, strict=True):
        for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    steps[0].layers[0].activation = "tanh"
    expected = np.mean((steps[0].predict(x) - y) ** 2)
    assert steps[0].train_on_batch(x, y) == pytest.approx(expected, rel=1e-5)


def test_a_sibling_is_saved_while_a_model_trains(tmp_path, random):
    x, y = random.normal(size=(8, 4)), np.ones((8, 2))
    one, two = siblings()
    two.train_on_batch(x, y)

    class Saves(numlstm.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            two.save(tmp_path / "two.safetensors")

    one.fit(x, y, epochs=2, callbacks=Saves(), verbose=0)
    loaded = numlstm.load_model(tmp_path / "two.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), two.predict(x))
    assert loaded.optimizer.iterations == 1


def test_a_chain_whose_layer_is_trained_elsewhere_stays_whole(random):
    chain = Sequential([Dense(3, input_shape=(4,)), Dense(2)])
    given = Input((4,))
    model = Model(given, Dense(2)(chain(given)))
    model.compile("sgd", "mse")

    class Changes(numlstm.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for change in (chain.pop, lambda: chain.add(Dense(1))):
                with pytest.raises(ValueError, match="is being trained by model"):
                    change()

    model.fit(np.ones((4, 4)), np.ones((4, 2)), callbacks=Changes(), verbose=0)
    assert [layer.units for layer in chain.layers] == [3, 2]


def test_a_stream_outlives_the_training_of_a_sibling(random):
    x = Input((None, F))
    hidden = LSTM(4, return_sequences=True)(x)
    one, two = Model(x, Dense(2)(hidden)), Model(x, Dense(3)(hidden))
    stream, data = one.stream(), random.normal(size=(2, T, F))
    stream.push(data[0, 0])
    two.compile("sgd", "mse")
    two.train_on_batch(data, np.ones((2, T, 3)))
    stream.reset()
    np.testing.assert_array_equal([stream.push(step) for step in data[0]], one.predict(data)[0])


def test_sequences_of_no_steps_are_trained():
    model = Sequential([LSTM(4, return_sequences=True, input_shape=(None, 3))])
    model.compile("sgd", "mse")
    assert model.fit(np.zeros((2, 0, 3)), np.zeros((2, 0, 4)), verbose=0).history == {"loss": [0.0]}


def test_many_outputs_take_no_quadratic_time():
    x = Input((3,))
    shared = Dense(2)
    model = Model(x, [shared(Dense(3)(x)) for _ in range(600)])
    assert model.output_names[0] == shared.name
    assert len(set(model.output_names)) == 600
    assert model.readers(0) == [layer for layer in model.layers if layer is not shared]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: Model(x, [Embedding(10, 4)(x), Dense(3)(x)]), "as ids by layer '.*', and as numbers by layer"),
        (lambda x: Model(x, [Embedding(10, 4)(x), x]), "as numbers by an output"),
        (lambda x: Model({1: x}, Dense(2)(x)), "the name of an input must be a non-empty string"),
        (lambda x: Model(x, {"": Dense(2)(x)}), "the name of an output must be a non-empty string"),
        (lambda x: Model(x, Dense(2)(x), name=""), "a model's name must be"),
    ],
    ids=range(5),
)
def test_models_that_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make(Input((5,)))
