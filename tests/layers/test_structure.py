"""How a Sequential is put together, taken apart, shown, stored and streamed, with layers of all kinds."""

from __future__ import annotations

import numpy as np
import pytest

import numlstm
from numlstm import Input, Sequential, layers, utils
from numlstm.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    LayerNormalization,
    Masking,
    RepeatVector,
    SimpleRNN,
    TimeDistributed,
)

B, T, F = 4, 6, 3


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(B, T, F)).astype("float32")


def of_all_kinds():
    return [
        Masking(-1.0),
        Dropout(0.3, (None, 1, None), seed=4),
        Bidirectional(LSTM(3, return_sequences=True, dropout=0.2, kernel_regularizer="l2"), merge_mode="mul"),
        TimeDistributed(Dense(4, activation="relu", bias_regularizer="l1")),
        Bidirectional(
            SimpleRNN(2, return_sequences=True),
            backward_layer=LSTM(5, activation="relu", return_sequences=True, go_backwards=True, name="from_the_end"),
        ),
        Activation("softsign"),
        LayerNormalization([-1], gamma_regularizer="l2"),
        LSTM(3, recurrent_activation="hard_sigmoid", use_bias=False, zero_output_for_mask=True),
        RepeatVector(2),
        SimpleRNN(3, return_sequences=True, recurrent_dropout=0.1, seed=1),
        GRU(3, return_sequences=True, recurrent_dropout=0.1, seed=2, bias_regularizer="l2"),
        Bidirectional(GRU(2, return_sequences=True, reset_after=False, recurrent_activation="hard_sigmoid")),
        LayerNormalization([1, 2], 1e-4, scale=False, beta_initializer="random_normal"),
        Flatten(),
        Dense(2, "softmax"),
    ]


# Input


@pytest.mark.parametrize(
    "given",
    [Input((T, F)), Input((T, F), batch_size=9), Input(batch_shape=(9, T, F)), Input(shape=(None, F))],
    ids=["shape", "batch size", "batch shape", "open length"],
)
def test_an_input_builds_the_model(x, given):
    model = Sequential([given, LSTM(5), Dense(1)])
    assert model.built
    assert [layer.name for layer in model.layers] == [layer.name for layer in model.layers if layer.built]
    assert model.input_shape == given.shape
    assert model.predict(x).shape == (B, 1)


def test_inputs_that_do_not_fit():
    with pytest.raises(ValueError, match="must come first"):
        Sequential([LSTM(5), Input((T, F))])
    with pytest.raises(ValueError, match="must come first"):
        Sequential([Input((T, F)), Input((T, F))])
    with pytest.raises(ValueError, match=r"\(None, 6, 4\), but the Input has \(None, 6, 3\)"):
        Sequential([Input((T, F)), LSTM(5, input_shape=(T, F + 1))])
    with pytest.raises(ValueError, match="shape such as"):
        Input()
    with pytest.raises(TypeError, match="shape must be a tuple"):
        Input(5)
    with pytest.raises(ValueError, match="each size in shape must be at least 1"):
        Input((0, 3))


def test_the_length_stays_open_unless_a_layer_needs_it(x):
    model = Sequential([LSTM(5, return_sequences=True), TimeDistributed(Dense(2))])
    model.predict(x)
    assert model.input_shape == (None, None, F)
    model = Sequential([LSTM(5, return_sequences=True), Flatten(), Dense(2)])
    model.predict(x)
    assert model.input_shape == (None, T, F)


# Parts


def test_pop_and_get_layer(x):
    model = Sequential([LSTM(5, return_sequences=True, name="first"), LSTM(4), Dense(1, name="last")])
    y = model.predict(x)
    kept = model.get_weights()
    last = model.pop()
    assert last.name == "last"
    assert model.output_shape == (None, 4)
    np.testing.assert_array_equal(last(model.predict(x)), y)
    model.add(last)
    np.testing.assert_array_equal(model.predict(x), y)
    for a, b in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    assert model.get_layer("first") is model.get_layer(index=0)
    for arguments, message in [
        ({"name": "second"}, "no layer named 'second', but 'first'"),
        ({"index": 3}, "index must be below 3"),
        ({}, "one of both"),
        ({"name": "first", "index": 0}, "one of both"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.get_layer(**arguments)
    for _ in range(3):
        model.pop()
    assert not model.built
    with pytest.raises(ValueError, match="no layers"):
        model.pop()


def test_a_popped_layer_is_the_models_no_more(x):
    model = Sequential([LSTM(5), Dense(1)])
    model.predict(x)
    last = model.pop()
    before = last.get_weights()
    model.set_weights([weight + 1 for weight in model.get_weights()])
    last.set_weights([weight + 1 for weight in before])
    for a, b in zip(last.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b + 1)


@pytest.mark.parametrize(
    "wrap", [lambda layer: Sequential([layer]), TimeDistributed, lambda layer: TimeDistributed(Dropout(0.1)).layer]
)
def test_a_layer_belongs_to_one_place(wrap):
    layer = Dense(2)
    owned = wrap(layer)
    with pytest.raises(ValueError, match=r"belongs|in use"):
        Sequential([layer if layer.owner else owned])


def test_several_outputs_are_refused():
    for layer in (LSTM(3, return_state=True), Bidirectional(LSTM(3), merge_mode=None)):
        with pytest.raises(ValueError, match="outputs, but a Sequential takes single outputs"):
            Sequential([layer])
    with pytest.raises(ValueError, match="2 outputs, but TimeDistributed"):
        TimeDistributed(SimpleRNN(3, return_state=True))


def test_summary_counts_nested_layers_once(x):
    model = Sequential([Bidirectional(LSTM(4, return_sequences=True)), TimeDistributed(Dense(2, name="inner"))])
    model.build((None, None, F))
    lines = []
    model.summary(print_fn=lines.append)
    text = lines[0]
    assert "forward_lstm" in text
    assert "inner (Dense)" in text
    count = 2 * 4 * 4 * (F + 4 + 1) + 8 * 2 + 2
    assert f"Total params: {count:,}" in text
    assert model.count_params() == count


def test_automatic_names_are_keras():
    layers = TimeDistributed(Dense(1)), SimpleRNN(1), RepeatVector(1), LSTM(1), GRU(1)
    names = [layer.name.rstrip("_0123456789") for layer in layers]
    assert names == ["time_distributed", "simple_rnn", "repeat_vector", "lstm", "gru"]


def test_plan_looks_into_layers():
    model = Sequential([Input((T, F)), Bidirectional(LSTM(4)), RepeatVector(3), SimpleRNN(2)])
    shapes = [layer.shape for layer in model.plan(B, device="cpu").layers]
    assert shapes == [(B, T, F, 4), (B, 3, 8, 2)]  # Both directions are one line.


# Files


def test_plan_tells_what_runs(x):
    """Masked or not, with zeros at masked steps: the plain kernels do for both."""
    for first in (Masking(), Activation("tanh")):
        model = Sequential([first, Bidirectional(LSTM(3, return_sequences=True)), Dense(1)])
        model.build((None, T, F))
        model.compile("sgd")
        planned = model.plan(B, device="cpu").layers[0].kernel_name
        model.train_on_batch(x, x[..., :1])
        assert model.kernel_name == planned
        assert "with options" not in planned


def test_models_of_all_kinds_are_stored(x, tmp_path):
    x[0, 4:] = -1
    model = Sequential(of_all_kinds())
    y = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), y)
    for ours, theirs in zip(model.layers, loaded.layers, strict=True):
        assert ours.get_config() == theirs.get_config()
        assert [(name, how.l1, how.l2) for name, how in ours.regularized] == [
            (name, how.l1, how.l2) for name, how in theirs.regularized
        ]
    names = [name for name, _ in model.layers[2].regularized]
    assert [name.split("/")[1] for name in names] == ["kernel", "kernel"]


def test_a_stored_model_drops_the_same(x, tmp_path):
    model = Sequential(of_all_kinds())
    model.build(x.shape)
    model.save(tmp_path / "model.safetensors")
    outputs = []
    for each in (model, numlstm.load_model(tmp_path / "model.safetensors")):
        chain = each.new_executor([each.backend.asarray(x, "float32")], training=True).executors
        for run in chain:
            run.forward()
        outputs.append(np.array(chain[-1].y))
    np.testing.assert_array_equal(*outputs)


def test_ids_are_stored(tmp_path):
    ids = np.random.default_rng(0).integers(0, 9, (B, T))
    model = Sequential([Embedding(9, 4, mask_zero=True, embeddings_regularizer="l2"), LSTM(3)])
    model.build(ids.shape)
    model.save(tmp_path / "model.safetensors")
    loaded = numlstm.load_model(tmp_path / "model.safetensors")
    assert loaded.input_dtype(0) == "int64"
    assert loaded.layers[0].get_config() == model.layers[0].get_config()


# Streams


def test_what_can_be_streamed(x):
    model = Sequential(
        [
            Dropout(0.5),
            LSTM(5, activation="relu", recurrent_activation="hard_sigmoid", dropout=0.5, return_sequences=True),
            TimeDistributed(Dense(4, activation="tanh")),
            SimpleRNN(3, return_sequences=True),
            GRU(4, return_sequences=True),
            GRU(3, return_sequences=True, reset_after=False, activation="relu"),
            Activation("softmax"),
            Dense(2, activation="sigmoid"),
        ]
    )
    y = model.predict(x)
    stream = model.stream(B)
    steps = [stream.push(x[:, t]) for t in range(T)]
    np.testing.assert_array_equal(np.stack(steps, axis=1), y)
    stream.reset()
    np.testing.assert_array_equal(stream.push(x[:, 0]), steps[0])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ([Bidirectional(LSTM(3))], "sequence's end too"),
        ([SimpleRNN(3, go_backwards=True)], "go_backwards"),
        ([GRU(3, go_backwards=True)], "go_backwards"),
        ([Masking(), LSTM(3)], "a Masking does not work step by step"),
        ([LSTM(3), RepeatVector(2)], "a RepeatVector does not work step by step"),
        ([LSTM(3, return_sequences=True), Flatten()], "flattens whole sequences"),
    ],
    ids=str,
)
def test_what_cannot_be_streamed(made, message):
    model = Sequential([Input((T, F)), *made])
    with pytest.raises(ValueError, match=message):
        model.stream()


# Arguments


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LSTM(3, dropout=1.5), ValueError, "dropout must be from 0 to below 1, not 1.5"),
        (lambda: LSTM(3, recurrent_dropout=-0.1), ValueError, "recurrent_dropout must be from 0"),
        (lambda: LSTM(3, activation="gelu"), ValueError, "activation must be one of 'tanh'.*not 'gelu'"),
        (lambda: LSTM(3, recurrent_activation="softmax"), ValueError, "recurrent_activation must be one of"),
        (lambda: LSTM(3, activation=np.tanh), TypeError, "activation must be a name"),
        (lambda: LSTM(3, unroll=True), ValueError, "LSTM does not support unroll=True: leave it out"),
        (lambda: LSTM(3, use_cudnn=True), ValueError, r'use_cudnn=True: choose the GPU with compile\(device="cuda"\)'),
        (lambda: LSTM(3, kernel_constraint="max_norm"), ValueError, "kernel_constraint='max_norm'.*regularizer"),
        (lambda: LSTM(3, activity_regularizer="l2"), ValueError, "activity_regularizer='l2'"),
        (lambda: Flatten(data_format="channels_first"), ValueError, "data_format='channels_first'.*last axis"),
        (
            lambda: LSTM(3, batch_input_shape=(1, 2, 3), input_shape=(2, 3)),
            ValueError,
            "batch_input_shape and input_sh",
        ),
        (lambda: LSTM(3, batch_shape=(1, 2, 3), batch_size=1), ValueError, "batch_shape and batch_size"),
        (lambda: LSTM(3, batch_input_shape=4), TypeError, r"batch_input_shape must be a tuple.*not 4"),
        (lambda: LSTM(3, batch_size=0), ValueError, "batch_size must be at least 1, not 0"),
        (lambda: Input(batch_size=3, batch_shape=(3, 2)), ValueError, "a batch_size or a batch_shape, not both"),
        (lambda: LSTM(3, trainable=False), ValueError, "trainable=False"),
        (lambda: LSTM(3, colour="red"), TypeError, "LSTM takes no argument 'colour'"),
        (lambda: LSTM(3, kernel_regularizer="l3"), ValueError, "l3"),
        (lambda: LSTM(3, seed=-1), ValueError, "seed must be at least 0"),
        (lambda: LSTM(3, stateful="yes"), TypeError, "stateful must be True or False"),
        (lambda: GRU(0), ValueError, "units must be at least 1, not 0"),
        (lambda: GRU(3, activation="gelu"), ValueError, "activation must be one of 'tanh'.*not 'gelu'"),
        (lambda: GRU(3, recurrent_activation="softmax"), ValueError, "recurrent_activation must be one of"),
        (lambda: GRU(3, reset_after="yes"), TypeError, "reset_after must be True or False"),
        (lambda: GRU(3, recurrent_dropout=1.0), ValueError, "recurrent_dropout must be from 0"),
        (lambda: GRU(3, unroll=True), ValueError, "GRU does not support unroll=True: leave it out"),
        (lambda: GRU(3, colour="red"), TypeError, "GRU takes no argument 'colour'"),
        (lambda: GRU(3)(np.ones((2, 3, 4)), initial_state=[np.ones((2, 3))] * 2), ValueError, "initial_state"),
        (
            lambda: GRU(3, name="g").build((None, None, 2), [np.ones((2, 9)), np.ones((3, 9)), np.ones(9)]),
            ValueError,
            "9",
        ),
        (lambda: SimpleRNN(0), ValueError, "units must be at least 1, not 0"),
        (lambda: SimpleRNN(3, activation="softmax"), ValueError, "activation must be one of"),
        (lambda: Dense(3, activation="gelu"), ValueError, "activation must be one of"),
        (lambda: Dropout(1.0), ValueError, "rate must be from 0 to below 1"),
        (lambda: Dropout("half"), TypeError, "rate must be a number"),
        (lambda: Dropout(0.5, (1, None, 1))(np.ones((2, 3, 4))), ValueError, "ones side by side"),
        (lambda: Dropout(0.5, (None, 1))(np.ones((2, 3, 4))), ValueError, r"does not go with shape \(2, 3, 4\)"),
        (lambda: Embedding(0, 3), ValueError, "input_dim must be at least 1"),
        (lambda: Masking("0"), TypeError, "mask_value must be a number"),
        (lambda: RepeatVector(2.5), TypeError, "n must be an integer"),
        (lambda: Embedding(3, 2)([[0], [1, 2]]), ValueError, "layer 'embedding.*pad_sequences"),
        (lambda: LSTM(3)([[[1.0]], [[1.0], [2.0]]]), ValueError, "layer 'lstm.*several shapes"),
        (lambda: LSTM(3)(np.ones((2, 3, 4)), lengths=[[1], [2, 3]]), ValueError, "lengths holds lists"),
        (
            lambda: Bidirectional(LSTM(3, name="a"), backward_layer=LSTM(3, name="forward_a", go_backwards=True)),
            ValueError,
            "the layers of 'bidirectional.*' must have different names, not 'forward_a' twice",
        ),
        (lambda: RepeatVector(2)(np.ones((2, 3, 4))), ValueError, r"takes \(batch, features\), not shape \(2, 3, 4\)"),
        (lambda: TimeDistributed("dense"), TypeError, "layer must be a layer"),
        (lambda: TimeDistributed(Dense(2))(np.ones((2, 3))), ValueError, r"takes \(batch, time, ...\)"),
        (lambda: TimeDistributed(LSTM(2, stateful=True)), ValueError, "stateful"),
        (lambda: TimeDistributed(Dense(2), dtype="float64"), ValueError, "is float32, but"),
        (lambda: Bidirectional(Dense(3)), TypeError, "takes an LSTM, a GRU or a SimpleRNN"),
        (lambda: Bidirectional(LSTM(3), merge_mode="max"), ValueError, "merge_mode must be one of"),
        (lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3)), ValueError, "must differ in go_backwards"),
        (
            lambda: Bidirectional(LSTM(3), "sum", backward_layer=LSTM(4, go_backwards=True)),
            ValueError,
            "the same units, not 3 and 4",
        ),
        (
            lambda: Bidirectional(LSTM(3), backward_layer=LSTM(3, go_backwards=True, stateful=True)),
            ValueError,
            "the same stateful",
        ),
        (
            lambda: Bidirectional(LSTM(3))(np.ones((2, 3, 4)), initial_state=[np.ones((2, 3))] * 2),
            ValueError,
            "list of 4 arrays: h, c, h, c",
        ),
        (lambda: utils.to_categorical([0, 3], 3), ValueError, "x holds the label 3, but labels are 0 to 2"),
        (lambda: utils.to_categorical([0, -1]), ValueError, "label -1"),
        (lambda: utils.to_categorical([]), ValueError, "no labels"),
        (lambda: utils.to_categorical([1.0, np.nan]), ValueError, "label nan, but labels are whole numbers from 0"),
        (lambda: utils.to_categorical([1.0, np.inf]), ValueError, "label inf, but labels are whole numbers from 0"),
        (lambda: utils.to_categorical([0], 0), ValueError, "num_classes must be at least 1"),
        (lambda: utils.pad_sequences([[1], [2**40]]), ValueError, "sequence 1 cannot become an array of int32"),
        (lambda: utils.pad_sequences([[[1], [2, 3]]]), ValueError, "sequence 0 cannot become an array of int32"),
        (lambda: utils.pad_sequences([[1], [None]]), ValueError, "sequence 1 cannot become an array of int32"),
        (lambda: utils.pad_sequences(["123", "45"]), ValueError, "a list of sequences, but holds '123'"),
        (lambda: utils.pad_sequences("123"), ValueError, "a list of sequences, but holds '1'"),
        (lambda: utils.pad_sequences([{1, 2}]), ValueError, "a list of sequences, but holds {1, 2}"),
        (lambda: utils.pad_sequences([{1: 2}]), ValueError, "a list of sequences, but holds {1: 2}"),
        (lambda: utils.pad_sequences([np.array(5)]), ValueError, r"a list of sequences, but holds array\(5\)"),
        (lambda: utils.pad_sequences([[1]], value="x"), ValueError, "value 'x' cannot stand in .* int32"),
        (lambda: utils.pad_sequences([[1]], value=300, dtype="int8"), ValueError, "value 300 cannot stand in .* int8"),
        (lambda: Sequential(LSTM(3)), TypeError, "layers must be a list of layers, not <LSTM"),
        (lambda: Sequential([Dense(1, input_shape=(2,))]).set_weights(None), TypeError, "weights must be a list"),
        (lambda: Dense(1, input_shape=(2,)).build((None, 2), 5), TypeError, "'dense.*' must be a list, not 5"),
        (lambda: Sequential([LSTM(1, input_shape=(5, 2))]).plan(0), ValueError, "batch_size must be at least 1, not 0"),
        (lambda: Sequential([LSTM(1, input_shape=(5, 2))]).plan(3, "x"), TypeError, "steps must be an integer"),
        (lambda: Sequential([Dense(1)]).compile(metrics=3), ValueError, "metric must be one of .*, not 3"),
        (lambda: numlstm.schedules.PiecewiseConstantDecay(1, [2]), TypeError, "boundaries must be a list, not 1"),
        (lambda: utils.to_categorical([[0], [1, 2]]), ValueError, "x holds lists or arrays of several shapes"),
        (lambda: utils.pad_sequences([[1], [2]], padding="left"), ValueError, "padding must be 'pre' or 'post'"),
        (lambda: utils.pad_sequences([1, 2]), ValueError, "but holds 1"),
        (lambda: utils.pad_sequences([[1], [2]], maxlen=0), ValueError, "maxlen must be at least 1"),
    ],
)
def test_wrong_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_seed_that_is_none():
    for seed, error in ((None, TypeError), (1.5, TypeError), (-1, ValueError)):
        with pytest.raises(error, match=f"seed must be .*{seed}"):
            numlstm.set_seed(seed)


def test_one_hot_rows_need_no_square_of_the_classes():
    rows = utils.to_categorical([10**6], 10**7)  # A unit matrix of so many rows would take 800 TB.
    assert rows.shape == (1, 10**7)
    assert rows[0, 10**6] == rows.sum() == 1


def test_arguments_of_keras_that_change_nothing():
    LSTM(3, unroll=False, use_cudnn="auto", implementation=2, kernel_constraint=None, activity_regularizer=None)
    Dense(3, bias_constraint=None, trainable=True, lora_rank=None)
    Embedding(3, 2, embeddings_constraint=None, input_length=4)


def test_all_layers_are_public():
    assert {type(layer).__name__ for layer in of_all_kinds()} <= set(layers.__all__)


def test_a_model_cannot_be_frozen():
    model = Sequential([Dense(1, input_shape=(2,))])
    assert model.trainable
    with pytest.raises(ValueError, match="all layers of a model are trained"):
        model.trainable = False


def test_weights_to_build_with():
    model = Sequential([Dense(2, input_shape=(3,)), Dense(1)])
    weights = [np.full_like(weight, 0.5) for weight in model.get_weights()]
    model.build((None, 3), weights)
    assert all((weight == 0.5).all() for weight in model.get_weights())
    with pytest.raises(ValueError, match="the model has 4 weights, but 5 were given"):
        Sequential([Dense(2), Dense(1)]).build((None, 3), [*weights, np.ones(1)])
    for shape in (5, "abc"):
        with pytest.raises(TypeError, match=f"input_shape must be a tuple .*{shape}"):
            model.build(shape)


def test_building_again_goes_on_training(x):
    """For sequences of another length: the weights, and the optimizer's state, stay what they are."""
    made = []
    for again in (False, True):
        numlstm.set_seed(3)
        model = Sequential([LSTM(3, input_shape=(None, F)), Dense(1)])
        model.compile("adam")
        model.fit(x, x[:, 0, 0], verbose=0)
        if again:
            model.build((None, T, F))
        model.fit(x, x[:, 0, 0], verbose=0)
        made.append(model.get_weights())
    for weight, expected in zip(*made, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_another_layer_needs_another_optimizer(x):
    model = Sequential([LSTM(3, input_shape=(None, F)), Dense(1)])
    model.compile("adam")
    model.fit(x, x[:, 0, 0], verbose=0)
    model.add(Dense(1))
    with pytest.raises(ValueError, match=r"before it got other layers: .*compile again"):
        model.fit(x, x[:, 0, 0], verbose=0)


def test_what_a_later_layer_runs_is_made_ready_too(x, monkeypatch):
    model, prepared = Sequential([LSTM(3, input_shape=(T, F))]), []
    monkeypatch.setattr(model.backend, "prepare", lambda names, dtype: prepared.extend(names))
    model.compile("sgd", device="cpu")
    model.add(Dense(1, "softmax"))
    model.fit(x, x[:, 0, 0], verbose=0)
    assert "softmax" in prepared
    before = len(prepared)
    model.fit(x, x[:, 0, 0], verbose=0)
    assert len(prepared) == before


def test_samples_may_be_single_numbers():
    x = np.arange(4.0)
    model = Sequential([Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, x, verbose=0)
    assert (model.input_shape, model.output_shape, model.predict(x).shape) == ((None,), (None, 1), (4, 1))
    assert model.plan().layers == ()
    assert Sequential([Input(()), Flatten()]).output_shape == (None, 1)


def test_flatten_alone_takes_batches_of_all_lengths():
    model = Sequential([Flatten()])
    assert [model.predict(np.ones(shape)).shape for shape in ((3, 5, 7), (2, 7, 5), (2, 4, 1))] == [
        (3, 35), (2, 35), (2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "layer",
    [
        LSTM(2, return_state=True),
        GRU(2, return_state=True, return_sequences=True),
        Bidirectional(LSTM(2, return_state=True)),
        Bidirectional(LSTM(2), merge_mode=None),
        Bidirectional(
            SimpleRNN(2, return_state=True),
            backward_layer=LSTM(3, return_state=True, go_backwards=True),
            merge_mode=None,
        ),
    ],
)
def test_the_shapes_of_several_outputs(layer):
    x = np.ones((1, 4, 2))
    assert layer.compute_output_shape(x.shape) == tuple(part.shape for part in layer(x))


def test_the_summary_of_what_is_not_built():
    model, printed = Sequential([LSTM(3, name="first"), Bidirectional(LSTM(2)), Dense(1)]), []
    model.summary(print_fn=printed.append)
    assert printed[0].count("unbuilt") == 5
    assert "Total params: 0" in printed[0]
    assert not hasattr(model, "input_shape")
    assert not hasattr(model, "output_shape")
