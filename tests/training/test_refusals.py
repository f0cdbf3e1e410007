"""What is refused by name: foreign objects, copies of models, and changes while `fit` runs."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import pickle

import numpy as np
import pytest

import numlstm
from numlstm import Sequential, callbacks, initializers, losses, messages, metrics, optimizers, regularizers, schedules
from numlstm.layers import LSTM, Bidirectional, Dense

X, Y = np.ones((8, 5, 3), "float32"), np.ones((8, 1), "float32")


def small_model():
    model = Sequential([LSTM(4, input_shape=(5, 3)), Dense(1)])
    model.compile("sgd", "mse", verbose=0)
    return model


class AtBatchEnd(callbacks.Callback):
    def __init__(self, change):
        self.change = change

    def on_train_batch_end(self, batch, logs=None):
        self.change(self.model)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("compile", lambda model: model.compile("sgd", "mae")),
        ("pop", lambda model: model.pop()),
        ("add", lambda model: model.add(Dense(1))),
        ("fit", lambda model: model.fit(X, Y, verbose=0)),
    ],
)
def test_a_callback_cannot_change_what_fit_uses(name, change):
    model = small_model()
    with pytest.raises(ValueError, match=f"^{name} cannot be called while fit runs: set stop_training"):
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, callbacks=[AtBatchEnd(change)])
    change(model)  # After fit, it may be called again.


def test_a_callback_may_evaluate_and_predict():
    seen = []
    look = AtBatchEnd(lambda model: seen.append((model.evaluate(X, Y, verbose=0), model.predict(X))))
    small_model().fit(X, Y, batch_size=4, verbose=0, callbacks=[look])
    assert len(seen) == 2


class MyModel(Sequential):
    pass


class MyDense(Dense):
    pass


class MySGD(optimizers.SGD):
    pass


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize("cls", [MyModel, lambda: MyDense(1), MySGD])
def test_what_is_of_a_users_own_class_is_not_copied(make, cls):
    with pytest.raises(TypeError, match=r"^a My.* can be neither copied nor pickled, as a class of your own"):
        make(cls())


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: regularizers.L2(10**400), ValueError, "l2 must be a number below 1.8e308, not 1000"),
        (lambda: optimizers.Adam(10**400), ValueError, "learning_rate must be a number below"),
        (lambda: small_model().build(3), TypeError, "input_shape must be a tuple such as"),
        (lambda: regularizers.serialize(3), TypeError, "only a regularizer can be serialized, not 3"),
        (lambda: initializers.serialize(3), TypeError, "only an initializer can be serialized, not 3"),
        (lambda: schedules.serialize(3), TypeError, "only a schedule can be serialized, not 3"),
        (lambda: optimizers.Optimizer(3), TypeError, "Optimizer is the base of all optimizers: make one of them"),
        (lambda: Dense(2**63), ValueError, "units must be at most 9223372036854775807"),
        (lambda: Dense("x" * 10_000), TypeError, "units must be an integer"),
        (lambda: Dense(1, name="a\x1b"), ValueError, "a layer's name must be a non-empty string of printable"),
        (lambda: Dense(1, name="a/b"), ValueError, "a layer's name must be without '/', not 'a/b'"),
        (lambda: Sequential(name="\n"), ValueError, "a model's name must be a non-empty string of printable"),
        (lambda: Dense(1, activation="x" * 10_000), ValueError, "activation must be one of"),
        (lambda: losses.get("x" * 10_000), ValueError, "loss must be one of"),
        (lambda: small_model().predict(X, batch_size=2**63), ValueError, "batch_size must be at most"),
        (lambda: numlstm.utils.pad_sequences([[1]], maxlen=2**70), ValueError, "maxlen must be at most"),
        (lambda: Sequential([Dense(2**40, input_shape=(2,))]), MemoryError, "layer 'dense.*' would need .* GB"),
    ],
)
def test_errors_have_a_type_and_one_sentence(call, kind, message):
    with pytest.raises(kind, match=message) as caught:
        call()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 700  # That names all losses.


def test_a_seed_may_be_any_integer():
    numlstm.set_seed(10**40)
    assert Dense(2, kernel_initializer=initializers.GlorotUniform(seed=2**70))(np.ones((1, 2))).shape == (1, 2)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_logger_begins_a_row_of_its_own(tmp_path, end):
    path = tmp_path / "log.csv"
    path.write_bytes(b"epoch,loss\n0,1.5" + end.encode())
    small_model().fit(X, Y, verbose=0, callbacks=[callbacks.CSVLogger(path, append=True)])
    lines = path.read_text().splitlines()
    assert lines[:2] == ["epoch,loss", "0,1.5"]
    assert len(lines) == 3


def test_perplexity_asks_the_loss_for_logits():
    assert metrics.get("perplexity", losses.SparseCategoricalCrossentropy(from_logits=True)).from_logits
    assert not metrics.get("perplexity", losses.MeanSquaredError()).from_logits
    assert not metrics.get("perplexity").from_logits


@pytest.mark.parametrize("package", [losses, metrics])
def test_packages_show_what_they_export(package):
    assert sorted(dir(package)) == sorted(package.__all__)


def test_text_of_messages():
    assert messages.plain("a  b\n\tc\x1b[2J\udcff") == "a b c\\x1b[2J\\udcff"
    assert len(messages.plain("x" * 1_000_000)) == 300
    assert messages.quoted("it's") == '"it\'s"'
    assert len(messages.quoted({"a" * 1000: ["b" * 1000] * 1000})) <= 120
    deep = []
    for _ in range(100_000):
        deep = [deep]
    assert messages.quoted(deep) == "[[[[[[[...]]]]]]]"
    assert messages.quoted(10**5000) == "a very long int"
    assert messages.listed(range(3)) == "'0', '1', '2'"
    assert messages.listed(range(10_000)).endswith("'7' and 9992 more")
    assert messages.listed([]) == "none"
    assert [messages.amount(size) for size in (3, 2048, 3 << 30, 10**400)] == [
        "3 bytes",
        "2.0 KB",
        "3.0 GB",
        "9.3e+290 GB",
    ]


@pytest.mark.parametrize("name", ["train_step", "test_step", "predict_step", "compute_loss", "call"])
def test_an_override_that_nothing_would_call_is_refused(name):
    with pytest.raises(TypeError, match=f"^Mine overrides {name}, which numlstm never calls: "):
        type("Mine", (Sequential,), {name: lambda *arguments: None})
    own = type("Mine", (Sequential,), {})()
    with pytest.raises(AttributeError, match=f"^{name} of a Mine cannot be set: "):
        setattr(own, name, None)


@pytest.mark.parametrize(
    ("base", "name", "instead"),
    [
        (losses.MeanSquaredError, "call", "a loss of your own is not possible"),
        (losses.Loss, "__call__", "a loss of your own is not possible"),
        (regularizers.L2, "__call__", "set l1 and l2"),
        (optimizers.Adam, "update_step", "the kernels of Adam"),
        (optimizers.SGD, "apply_gradients", "the kernels of Adam"),
        (metrics.MeanSquaredError, "reset_states", "its name is reset_state"),
    ],
)
def test_an_override_in_a_part_of_a_model_is_refused(base, name, instead):
    with pytest.raises(TypeError, match=f"^Mine overrides {name}, which numlstm never calls: {instead}"):
        type("Mine", (base,), {name: lambda *arguments: 0})


class MyLoss(losses.Loss):
    pass


class MyOptimizer(optimizers.Optimizer):
    pass


def my_function(y_true, y_pred):
    return 0.0


def of_two_outputs():
    x = numlstm.Input((5, 3))
    return numlstm.Model(x, [Dense(1, name="first")(LSTM(2)(x)), Dense(1, name="second")(LSTM(2)(x))])


@pytest.mark.parametrize("make", [small_model, of_two_outputs])
@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"loss": MyLoss()}, TypeError, "a MyLoss computes nothing: a loss of your own is not possible"),
        ({"loss": my_function}, TypeError, "loss cannot be .*my_function.*functions are not supported: give .*'mse'"),
        ({"loss": losses.Huber}, TypeError, r"loss must be an object or its name, not a class: .* Huber\(\)"),
        ({"loss": "mean_square_error"}, ValueError, "there is no loss .*: did you mean 'mean_squared_error'"),
        ({"optimizer": "Admm"}, ValueError, "there is no optimizer 'Admm': did you mean 'adam'"),
        ({"optimizer": optimizers.Adam}, TypeError, r"optimizer must be .* not a class: make one, as by Adam\(\)"),
    ],
)
def test_what_compile_cannot_take_is_answered_with_what_it_takes(make, options, kind, message):
    with pytest.raises(kind, match=f"^{message}"):
        make().compile(**options)


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (["accurracy"], ValueError, "there is no metric 'accurracy': did you mean 'accuracy'"),
        (my_function, TypeError, "metric cannot be .*my_function.*: extend numlstm.metrics.Metric"),
        ({"output": "mae"}, ValueError, "the dict of metrics names 'output', but the model's only output is 'dense"),
    ],
)
def test_metrics_that_compile_cannot_take(given, kind, message):
    with pytest.raises(kind, match=f"^{message}"):
        small_model().compile(metrics=given)


def test_a_users_optimizer_extends_another():
    with pytest.raises(TypeError, match=r"^a MyOptimizer updates no weights: an optimizer of your own is not possible"):
        MyOptimizer()
    assert isinstance(MySGD(0.5), optimizers.SGD)


def test_a_subclass_of_a_model_has_attributes_of_its_own():
    class Mine(Sequential):
        def __init__(self):
            super().__init__([Dense(1)])
            self.window = 5

    mine = Mine()
    mine.horizon = 3
    assert (mine.window, mine.horizon) == (5, 3)


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        (
            lambda model: model,
            "stop_trainin",
            "a Sequential has no attribute 'stop_trainin': did you mean stop",
        ),
        (lambda model: model, "layers", "layers of a Sequential cannot be set: change the layers by add and pop"),
        (lambda model: model, "inputs", "inputs of a Sequential cannot be set: change the layers by add and pop"),
        (lambda model: model, "outputs", "outputs of a Sequential cannot be set: change the layers by add and pop"),
        (lambda model: model, "calls", "calls of a Sequential cannot be set: change the layers by add and pop"),
        (lambda model: of_two_outputs(), "layers", "layers of a Model cannot be set: make another model"),
        (lambda model: of_two_outputs(), "inputs", "inputs of a Model cannot be set: make another model"),
        (lambda model: model, "optimizer", "optimizer of a Sequential cannot be set: give it to compile"),
        (lambda model: model, "loss", "loss of a Sequential cannot be set: give it to compile"),
        (lambda model: model, "input_shape", "input_shape of a Sequential cannot be set: make another model"),
        (lambda model: model, "backend_name", "backend_name of a Sequential can only be read"),
        (lambda model: model.layers[0], "kernel", "an LSTM has no attribute 'kernel': .* set_weights"),
        (lambda model: model.layers[0], "return_sequence", "an LSTM has no attribute 'return_sequence': did you mean "),
        (lambda model: model.layers[0], "name", "name of an LSTM cannot be set: give it when the layer is made"),
        (lambda model: model.optimizer, "lr", "lr of an SGD cannot be set: its name is learning_rate"),
        (
            lambda model: model.optimizer,
            "learning_rat",
            "an SGD has no attribute 'learning_rat': did you mean learn",
        ),
        (lambda model: model.optimizer, "beta_1", "an SGD has no attribute 'beta_1'$"),
        (lambda model: Bidirectional(LSTM(2)), "return_sequences", "return_sequences of a Bidirectional cannot be set"),
    ],
)
def test_attributes_that_nothing_would_read_are_refused(part, name, message):
    with pytest.raises(AttributeError, match=f"^{message}"):
        setattr(part(small_model()), name, [])


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        (lambda model: model, "weights", r"a Sequential has no attribute 'weights': get_weights\(\)"),
        (lambda model: model, "metrics_names", "a Sequential .*return_dict=True"),
        (lambda model: model, "losses", "a Sequential .*: regularizers"),
        (lambda model: model, "export", "a Sequential .*: use save"),
        (lambda model: model, "fit_generator", "a Sequential .*: fit takes generators too"),
        (lambda model: model, "predict_classes", "a Sequential .*argmax"),
        (lambda model: model, "train_step", "a Sequential .*: call train_on_batch"),
        (lambda model: model.layers[0], "recurrent_kernel", "an LSTM .*get_weights"),
        (lambda model: model.layers[0], "add_weight", "an LSTM .*: override variable_shapes"),
        (lambda model: model.layers[0], "states", "an LSTM .*: state holds the arrays"),
        (lambda model: model.optimizer, "apply_gradients", "an SGD .*train_on_batch"),
        (lambda model: model.optimizer.learning_rate, "assign", "the learning rate .*: it is a number, set it by"),
        (lambda model: metrics.AUC(), "add_weight", "an AUC .*: keep numbers or arrays in attributes"),
    ],
)
def test_attributes_that_keras_has_are_answered_with_what_to_use(part, name, message):
    with pytest.raises(AttributeError, match=f"^{message}"):
        getattr(part(small_model()), name)
    assert not hasattr(part(small_model()), name)


def test_a_property_that_raises_keeps_its_sentence():
    with pytest.raises(AttributeError, match=r"^the model has no weights yet"):
        Sequential([Dense(1)]).input_shape  # noqa: B018


def test_the_old_name_of_the_learning_rate_leads_to_the_new_one():
    with pytest.raises(AttributeError, match=r"^an SGD has no attribute 'lr': its name is learning_rate"):
        small_model().optimizer.lr  # noqa: B018
    assert not hasattr(small_model().optimizer, "velocity")


def test_a_callback_cannot_change_a_layer():
    change = AtBatchEnd(lambda model: setattr(model.layers[1], "activation", "relu"))
    with pytest.raises(ValueError, match=r"^a layer cannot be changed while fit runs"):
        small_model().fit(X, Y, verbose=0, callbacks=[change])


@pytest.mark.parametrize(
    ("module", "name", "message"),
    [
        ("layers", "ConvLSTM2D", "make each frame a vector"),
        ("layers", "MaxPooling1D", "take the last output"),
        ("layers", "Lstm", "did you mean LSTM"),
        ("layers", "InputLayer", "use Input"),
        ("", "Layer", "use numlstm.layers.Layer"),
        ("", "Adam", "use numlstm.optimizers.Adam"),
        ("utils", "Sequence", "fit takes any object with"),
        ("backend", "clear_session", "memory is freed with the models"),
        ("backend", "ctc_decode", "numlstm.losses.CTC is the loss"),
        ("backend", "mean", "compute with NumPy"),
        ("layers", "Nothing", ""),
        ("callbacks", "TensorBoard", "use CSVLogger"),
        ("losses", "mean_squared_error", "give compile the loss by its name"),
        ("metrics", "Precision", "use AUC"),
        ("models", "save_model", r"use model\.save"),
        ("optimizers", "Adagrad", "use Adam"),
        ("optimizers.schedules", "PolynomialDecay", "use ExponentialDecay"),
        ("initializers", "GlorotUnifrom", "did you mean GlorotUniform"),
        ("regularizers", "L1_L2", "did you mean "),
        ("utils", "plot_model", r"print the model by model\.summary"),
        ("", "keras", "its names are numlstm's own"),
    ],
)
def test_names_that_are_not_there_are_explained(module, name, message):
    module = f"numlstm.{module}".rstrip(".")
    with pytest.raises(ImportError, match=f"^{module} has no '{name}'(: |$){message}"):
        exec(f"from {module} import {name}")
    with pytest.raises(AttributeError, match=f"^{module} has no '{name}'(: |$){message}"):
        getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("keras", "its names are numlstm's own"),
        ("keras.layers", "its names are numlstm's own"),
        ("preprocessing.sequence", "numlstm.utils has pad_sequences"),
    ],
)
def test_modules_that_are_not_there_are_explained(module, message):
    name = module.partition(".")[0]
    with pytest.raises(ModuleNotFoundError, match=f"^numlstm has no '{name}': {message}"):
        importlib.import_module(f"numlstm.{module}")


def test_a_module_that_nobody_has_is_not_found():
    assert importlib.util.find_spec("numlstm.nothing") is None


def test_a_name_of_keras_stands_for_no_module():
    assert callable(numlstm.layers.Dot)
    assert all(callable(getattr(numlstm.layers, name)) for name in numlstm.layers.__all__)


@pytest.mark.parametrize("module", [numlstm, numlstm.layers, numlstm.losses, initializers, numlstm.utils])
def test_only_public_names_show(module):
    assert dir(module) == sorted(module.__all__)


def recurrent(*members, **options):
    return Sequential([LSTM(3, name="first", **options), *members])


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda: recurrent(LSTM(2, name="second"), input_shape=(4, 2)),
            r"layer 'first' returns its last output only, ",
        ),
        (
            lambda: recurrent(LSTM(2), input_shape=(4, 2)),
            r".*of shape \(None, 3\).*give 'first' return_sequences=True$",
        ),
        (lambda: recurrent(Bidirectional(LSTM(2))).predict(X), r"layer 'first' returns its last output only"),
        (
            lambda: recurrent().predict(X[..., 0]),
            r"layer 'first' takes .*not shape \(None, 5\): .*as by x\[..., None\]$",
        ),
        (
            lambda: recurrent(input_shape=(5, 1)).predict(X[..., 0]),
            r"x must have .*not \(8, 5\): .*as by x\[..., None\]$",
        ),
        (lambda: recurrent(input_shape=(5, 3)).predict(X[0]), r"x must have .*not \(5, 3\): one sample is x\[None\]$"),
        (lambda: small_model().fit([(X, Y), (X, Y)]), "x holds .*give a list of batches as an iterator, by iter"),
        (lambda: small_model().predict([X, X[:3]]), "x holds .*give a list of batches as an iterator, by iter"),
        (lambda: small_model().fit(X, Y[:-1]), "x has 8 samples, but y has 7$"),
        (lambda: small_model().fit(X, Y, sample_weight=np.ones(9)), "x has 8 samples, but sample_weight has 9$"),
        (
            lambda: Dense(1, weights=[np.ones((1000, 50))]),
            r"Dense does .* weights=\[<array of shape \(1000, 50\)>\]: build",
        ),
    ],
)
def test_what_goes_wrong_often_is_answered_with_what_to_do(act, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        act()


def test_nouns_have_their_articles():
    nouns = ["Embedding", "LSTM", "GRU", "SGD", "RMSprop", "Dense", "list", "int", "UserModel", "L1", "M"]
    articles = ["an", "an", "a", "an", "an", "a", "a", "an", "a", "an", "an"]
    assert [messages.a(noun) for noun in nouns] == [f"{a} {noun}" for a, noun in zip(articles, nouns, strict=True)]
