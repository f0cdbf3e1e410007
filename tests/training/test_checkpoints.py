"""Checkpoints: a training that was interrupted and resumed ends with the bits of one that was not."""

import os
import signal
import threading

import numpy as np
import pytest

import numlstm
from numlstm import callbacks, layers
from numlstm.formats.tensors import ModelFileError
from numlstm.training.interruption import Interrupted

X = np.random.default_rng(1).standard_normal((50, 6, 3)).astype("float32")
Y = np.random.default_rng(2).standard_normal((50, 1)).astype("float32")


class Stop(callbacks.Callback):
    """Sends a signal at one of the hooks."""

    def __init__(self, hook, epoch, batch=0, number=signal.SIGINT):
        self.place, self.number, self.epoch = (hook, epoch, batch), number, 0

    def _at(self, hook, epoch, batch):
        if (hook, epoch, batch) == self.place:
            os.kill(os.getpid(), self.number)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self._at("epoch", epoch, 0)

    def on_train_batch_begin(self, batch, logs=None):
        self._at("train", self.epoch, batch)

    def on_test_batch_begin(self, batch, logs=None):
        self._at("test", self.epoch, batch)

    def on_epoch_end(self, epoch, logs=None):
        self._at("end", epoch, 0)


def dropping():
    return [layers.LSTM(4, dropout=0.3, recurrent_dropout=0.2, return_sequences=True), layers.Dropout(0.2)]


def make(kind, seed=3):
    """A compiled model, what `fit` is given besides, and its callbacks."""
    numlstm.set_seed(seed)
    options = {"x": X, "y": Y, "validation_split": 0.2, "batch_size": 8}
    hooks = [
        callbacks.EarlyStopping(patience=3, restore_best_weights=True),
        callbacks.ReduceLROnPlateau(patience=1, factor=0.5),
    ]
    optimizer, loss, members = "adam", "mse", [layers.LSTM(5), layers.Dense(1)]
    if kind == "dropout":
        members = [*dropping(), *members]
    elif kind == "bidirectional":
        members = [layers.Bidirectional(layers.GRU(3, dropout=0.1)), layers.Dense(1)]
    elif kind == "stateful":
        members = [layers.LSTM(5, stateful=True, input_shape=(6, 3)), layers.Dense(1)]
        options |= {"x": X[:48], "y": Y[:48], "shuffle": False, "validation_split": 0.0, "validation_data": None}
        hooks = []
    elif kind == "tbptt":
        members = [layers.LSTM(5, return_sequences=True), layers.Dense(1)]
        options |= {"y": np.repeat(Y[:, None], 6, axis=1), "tbptt": 2}
    elif kind == "schedule":
        optimizer = numlstm.optimizers.SGD(numlstm.optimizers.schedules.ExponentialDecay(0.1, 4, 0.9), momentum=0.9)
        hooks = []
    elif kind == "scheduler":
        hooks = [callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9)]
    elif kind == "steps":
        options |= {"steps_per_epoch": 3}
    elif kind == "dataset":
        options |= {"x": Batches(), "y": None, "batch_size": None, "validation_split": 0.0, "shuffle": True}
        hooks = []
    elif kind == "sampled":
        members[-1], loss = layers.Dense(20), numlstm.losses.SampledSoftmax(4)
        options |= {"y": np.arange(50) % 20}
    model = numlstm.Sequential(members)
    model.compile(optimizer, loss, metrics=["mae"] if kind not in ("tbptt", "sampled") else None)
    return model, options, hooks


class Batches:
    def __len__(self):
        return 7

    def __getitem__(self, number):
        return X[number * 7 : number * 7 + 7], Y[number * 7 : number * 7 + 7]


def result(model, history):
    return [*model.get_weights(), *model.optimizer.state().values()], history.history


def assert_same(found, expected):
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    assert found[1] == expected[1]


KINDS = [
    "plain", "dropout", "bidirectional", "stateful", "tbptt", "schedule", "scheduler", "steps", "dataset", "sampled",
]  # fmt: skip
PLACES = [("train", 0, 0), ("train", 2, 2), ("train", 3, 1), ("epoch", 2, 0), ("end", 1, 0)]


@pytest.mark.filterwarnings("ignore:the data ended after 2 of 3 steps")  # Of "steps", a pass has five batches.
@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_training_ends_with_the_same_bits(tmp_path, kind):
    path = tmp_path / "training.safetensors"
    model, options, hooks = make(kind)
    expected = result(model, model.fit(**options, epochs=6, verbose=0, callbacks=hooks))
    for place in PLACES:
        path.unlink(missing_ok=True)
        model, options, hooks = make(kind)
        with pytest.raises(Interrupted):
            # The callback that stops is in both trainings, because the callbacks must be the same.
            model.fit(**options, epochs=6, verbose=0, callbacks=[*hooks, Stop(*place)], checkpoint=path)
        model, options, hooks = make(kind, seed=99)  # The seed comes from the checkpoint.
        history = model.fit(**options, epochs=6, verbose=0, callbacks=[*hooks, Stop("never", 0)], resume=path)
        assert_same(result(model, history), expected)


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_batch_begin"])
def test_a_training_that_a_callback_ended_stays_ended(tmp_path, hook):
    """The signal comes with the end, so the checkpoint is written behind it."""

    class End(callbacks.Callback):
        calls = 0

        def end(self, *arguments):
            self.calls += 1
            if self.calls == 3:
                self.model.stop_training = True
                if self.interrupts:
                    os.kill(os.getpid(), signal.SIGINT)

        def state(self):
            return {"calls": self.calls}

        def set_state(self, state):
            self.calls = state["calls"]

        def __init__(self, interrupts):
            self.interrupts = interrupts
            setattr(self, hook, self.end)

    path = tmp_path / "training.safetensors"
    model, options, hooks = make("plain")
    expected = result(model, model.fit(**options, epochs=6, verbose=0, callbacks=[*hooks, End(False)]))
    model, options, hooks = make("plain")
    with pytest.raises(Interrupted):
        model.fit(**options, epochs=6, verbose=0, callbacks=[*hooks, End(True)], checkpoint=path)
    model, options, hooks = make("plain", seed=99)
    history = model.fit(**options, epochs=6, verbose=0, callbacks=[*hooks, End(False)], resume=path)
    assert_same(result(model, history), expected)


def test_a_signal_in_the_validation_does_not_wait(tmp_path):
    path = tmp_path / "training.safetensors"
    model, options, hooks = make("plain")
    expected = result(model, model.fit(**options, epochs=4, verbose=0, callbacks=hooks))
    model, options, hooks = make("plain")
    tested = []
    watch = callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: tested.append(batch))
    with pytest.raises(Interrupted):
        model.fit(**options, epochs=4, verbose=0, callbacks=[*hooks, Stop("test", 1, 1), watch], checkpoint=path)
    assert tested[-2:] == [1, 0]  # The second batch of the second validation has not ended.
    model, options, hooks = make("plain", seed=99)
    stopped = [*hooks, Stop("never", 0), callbacks.LambdaCallback()]
    assert_same(result(model, model.fit(**options, epochs=4, verbose=0, callbacks=stopped, resume=path)), expected)


def test_it_can_be_interrupted_again_and_again(tmp_path):
    path = tmp_path / "training.safetensors"
    model, options, hooks = make("dropout")
    expected = result(model, model.fit(**options, epochs=5, verbose=0, callbacks=hooks))
    start = None
    for place in [("train", 0, 3), ("train", 0, 4), ("test", 2, 0), ("train", 3, 1), ("never", 0, 0)]:
        model, options, hooks = make("dropout")
        given = {"callbacks": [*hooks, Stop(*place)], "checkpoint": path, "resume": start}
        if place[0] == "never":
            assert_same(result(model, model.fit(**options, epochs=5, verbose=0, **given)), expected)
        else:
            with pytest.raises(Interrupted):
                model.fit(**options, epochs=5, verbose=0, **given)
        start = path


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_end_with_their_number_and_leave_the_handlers(tmp_path, name):
    if not hasattr(signal, name):
        pytest.skip(f"this system has no {name}")
    number = getattr(signal, name)
    before = signal.getsignal(number)
    model, options, _ = make("plain")
    with pytest.raises(Interrupted) as raised:
        model.fit(
            **options, epochs=3, verbose=0, callbacks=Stop("train", 1, 0, number), checkpoint=tmp_path / "t.safetensors"
        )
    assert raised.value.signal == number
    assert signal.getsignal(number) is before
    assert model.history.epoch == [0]


def test_an_ignored_signal_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        model, options, _ = make("plain")
        stop = Stop("train", 1, 0, signal.SIGTERM)
        history = model.fit(**options, epochs=2, verbose=0, callbacks=stop, checkpoint=tmp_path / "t.safetensors")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert history.epoch == [0, 1]


def test_every_so_many_steps(tmp_path):
    path, seen = tmp_path / "t.safetensors", []
    model, options, _ = make("plain")

    def look(batch, logs):
        seen.append(path.stat().st_mtime_ns if path.exists() else None)

    watch = callbacks.LambdaCallback(on_train_batch_begin=look)
    model.fit(**options, epochs=2, verbose=0, callbacks=watch, checkpoint=path, checkpoint_every=2)
    assert seen[:2] == [None, None]
    assert len(set(seen)) == 1 + 4  # Ten steps: before the first checkpoint, and after each but the last.


def test_the_best_epochs_are_kept_when_it_costs_little(tmp_path, monkeypatch):
    from numlstm.training import checkpoint

    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    model.fit(**options, epochs=1, verbose=0, checkpoint=path)
    assert not path.exists()  # A training of less than a second is not worth a file.
    monkeypatch.setattr(checkpoint, "_FIRST_COST", 0.0)
    model.fit(**options, epochs=1, verbose=0, checkpoint=path)
    assert path.exists()


def test_csv_rows_are_those_of_one_training(tmp_path):
    path, log = tmp_path / "t.safetensors", tmp_path / "log.csv"
    model, options, _ = make("plain")
    model.fit(**options, epochs=4, verbose=0, callbacks=[callbacks.CSVLogger(log), Stop("never", 0)])
    expected = log.read_bytes()
    model, options, _ = make("plain")
    with pytest.raises(Interrupted):
        model.fit(
            **options, epochs=4, verbose=0, checkpoint=path, callbacks=[callbacks.CSVLogger(log), Stop("train", 2, 1)]
        )
    log.write_text(log.read_text() + "a row of an epoch that comes again\n")
    model, options, _ = make("plain")
    model.fit(**options, epochs=4, verbose=0, resume=path, callbacks=[callbacks.CSVLogger(log), Stop("never", 0)])
    assert log.read_bytes() == expected


@pytest.mark.parametrize("batch", [1, 4, 8])
def test_a_hook_may_reset_states_and_set_weights(tmp_path, batch):
    """`on_epoch_begin` runs again in the epoch that is resumed, and must not act on what the checkpoint brings."""

    class Reset(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.layers[0].reset_state()
            self.model.set_weights([0.9 * weight for weight in self.model.get_weights()])

    path = tmp_path / "t.safetensors"
    model, options, _ = make("stateful")
    expected = result(model, model.fit(**options, epochs=3, verbose=0, callbacks=[Reset(), Stop("never", 0)]))
    model, options, _ = make("stateful")
    stop = Stop("train", batch // 6, batch % 6)
    with pytest.raises(Interrupted):
        model.fit(**options, epochs=3, verbose=0, callbacks=[Reset(), stop], checkpoint=path)
    model, options, _ = make("stateful")
    history = model.fit(**options, epochs=3, verbose=0, callbacks=[Reset(), Stop("never", 0)], resume=path)
    assert_same(result(model, history), expected)


def test_a_refused_checkpoint_changes_nothing(tmp_path):
    path, log = tmp_path / "t.safetensors", tmp_path / "log.csv"
    model, options, _ = make("plain")
    model.fit(**options, epochs=1, verbose=0, checkpoint=path, checkpoint_every=1, callbacks=callbacks.CSVLogger(log))
    written = log.read_bytes()
    model.compile(numlstm.optimizers.Adam(amsgrad=True), "mse", metrics=["mae"])
    before = model.get_weights()
    with pytest.raises(ValueError, match="optimizer's state"):
        model.fit(**options, epochs=2, verbose=0, resume=path, callbacks=callbacks.CSVLogger(log))
    assert log.read_bytes() == written
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_log_that_is_gone_or_a_device_ends_nothing(tmp_path):
    path, log = tmp_path / "t.safetensors", tmp_path / "log.csv"
    for place in (log, os.devnull):
        model, options, _ = make("plain")
        gone = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: log.unlink(missing_ok=True))
        hooks = [callbacks.CSVLogger(place), gone]
        model.fit(**options, epochs=2, verbose=0, callbacks=hooks, checkpoint=path, checkpoint_every=1)
        model, options, _ = make("plain")
        assert model.fit(**options, epochs=3, verbose=0, callbacks=hooks, resume=path).epoch == [0, 1, 2]


def test_a_callback_of_ones_own_is_kept_by_its_state(tmp_path):
    class Counter(callbacks.Callback):
        count = 0

        def on_train_batch_begin(self, batch, logs=None):
            self.count += 1

        def state(self):
            return {"count": self.count, "array": np.arange(3)}

        def set_state(self, state):
            self.count, self.array = state["count"], state["array"]

    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    with pytest.raises(Interrupted):
        model.fit(**options, epochs=2, verbose=0, callbacks=[Counter(), Stop("train", 1, 2)], checkpoint=path)
    model, options, _ = make("plain")
    counter = Counter()
    model.fit(**options, epochs=2, verbose=0, callbacks=[counter, Stop("never", 0)], resume=path)
    assert counter.count == 10
    np.testing.assert_array_equal(counter.array, np.arange(3), strict=True)


class Own(callbacks.Callback):
    """A callback with a given state."""

    back = None

    def __init__(self, value):
        self.value = value

    def state(self):
        return {"value": self.value() if callable(self.value) else self.value}

    def set_state(self, state):
        self.back = state["value"]


def cyclic():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({3: 1.0}, "a dict with the key 3"),
        ({"/tensor": "0"}, "a dict with the key '/tensor'"),
        (np.array(["a"]), "an array of <U1"),
        (np.array([1j]), "an array of complex128"),
        (np.array([object()]), "an array of object"),
        (np.ma.masked_array([1.0], [True]), "masked_array"),
        (1j, "1j"),
        ({"a", "b"}, "{'a', 'b'}"),
        (b"text", "b'text'"),
        (np.datetime64("2020-01-01"), "2020"),
        (lambda: 10**5000, "a very long int"),
        (cyclic, "without an end"),
    ],
)
def test_a_state_that_would_come_back_otherwise_is_refused_when_the_training_begins(tmp_path, value, words):
    path, steps = tmp_path / "t.safetensors", []
    model, options, _ = make("plain")
    count = callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: steps.append(batch))
    with pytest.raises(TypeError, match=rf"the state of Own (has|holds) .*{words}") as raised:
        model.fit(**options, epochs=1, verbose=0, callbacks=[count, Own(value)], checkpoint=path)
    assert len(str(raised.value)) < 400
    assert not steps
    model.fit(**options, epochs=1, verbose=0, callbacks=Own(value))  # Without a checkpoint it is nobody's business.


def test_states_come_back_as_they_are(tmp_path):
    arrays = [
        np.arange(3).astype(dtype) for dtype in ("bool", "i1", "u1", "<i8", ">i8", "u8", "f2", "f4", ">f8")
    ] + [np.zeros(()), np.zeros((2, 0)), np.arange(6.0).reshape(2, 3).T]  # fmt: skip
    value = {"n": [None, True, 1, -(10**300), 0.1, float("inf"), "é\ud800\n", {}, []], "a": arrays, "t": (1, 2)}
    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    model.fit(**options, epochs=1, verbose=0, callbacks=Own(value), checkpoint=path, checkpoint_every=1)
    model, options, _ = make("plain")
    model.fit(**options, epochs=2, verbose=0, callbacks=(own := Own(None)), resume=path)
    assert own.back["n"] == value["n"]
    assert own.back["t"] == [1, 2]
    for found, expected in zip(own.back["a"], arrays, strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype.newbyteorder("=")


def test_a_log_that_is_no_number_is_refused_at_the_first_checkpoint(tmp_path):
    model, options, _ = make("plain")
    note = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(note="text"))
    with pytest.raises(TypeError, match="'note' in the logs, which a checkpoint keeps, must be a number, not 'text'"):
        model.fit(
            **options, epochs=2, verbose=0, callbacks=note, checkpoint=tmp_path / "t.safetensors", checkpoint_every=1
        )


def test_a_log_is_not_read_for_a_checkpoint(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss\n0,1.5")
    model, options, _ = make("plain")
    logger = callbacks.CSVLogger(log, append=True)
    gone = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: log.rename(tmp_path / "moved"))
    model.fit(**options, epochs=1, verbose=0, callbacks=[logger, gone])
    assert logger.state()["text"].encode() == (tmp_path / "moved").read_bytes()


@pytest.mark.parametrize("batch", [None, 3])
def test_a_resume_after_the_last_step_knows_its_kernel(tmp_path, batch):
    """The checkpoint is behind the last epoch, or within an epoch that a callback has ended."""
    path = tmp_path / "t.safetensors"

    def end(number, logs):
        if number == batch:
            model.stop_training = True

    model, options, _ = make("plain")
    hook = callbacks.LambdaCallback(on_train_batch_begin=end)
    with pytest.raises(Interrupted):
        model.fit(**options, epochs=2, verbose=0, callbacks=[hook, Stop("end", 1 if batch is None else 0)],
                  checkpoint=path, checkpoint_every=1)  # fmt: skip
    name = model.kernel_name
    model, options, _ = make("plain")
    model.fit(**options, epochs=2, verbose=0, callbacks=[callbacks.LambdaCallback(), Stop("no", 0)], resume=path)
    assert name is not None
    assert model.kernel_name == name


def test_a_generator_is_resumed_from_the_end_of_an_epoch(tmp_path):
    def batches():
        while True:
            yield X[:8], Y[:8]

    def make_model():
        numlstm.set_seed(1)
        model = numlstm.Sequential([layers.LSTM(3), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    path, model = tmp_path / "t.safetensors", make_model()
    given = {"steps_per_epoch": 4, "epochs": 3, "verbose": 0}
    expected = result(model, model.fit(batches(), **given))
    model = make_model()
    stop = Stop("train", 1, 2)
    with pytest.raises(Interrupted):
        model.fit(batches(), **given, callbacks=stop, checkpoint=path, checkpoint_every=1)
    model = make_model()
    history = model.fit(batches(), **given, callbacks=Stop("never", 0), resume=path)
    assert_same(result(model, history), expected)


def other_units(model, options):
    model = numlstm.Sequential([layers.LSTM(6), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    return model, options


def other_optimizer(model, options):
    model.compile("sgd", "mse", metrics=["mae"])
    return model, options


def other_metrics(model, options):
    model.compile("adam", "mse", metrics=["mse"])
    return model, options


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_units, "the shapes of the weights: there"),
        (other_optimizer, "the optimizer: there .Adam., here .SGD."),
        (lambda model, options: (model, options | {"batch_size": 9}), "the data: there"),
        (lambda model, options: (model, options | {"x": X[:40], "y": Y[:40]}), "the data: there"),
        (lambda model, options: (model, options | {"callbacks": callbacks.TerminateOnNaN()}), "the callbacks: there"),
        (other_metrics, "the metrics: there .*mae.*, here .*mse"),
        (lambda model, options: (model, options | {"epochs": 1}), "is of epoch 2, but the training ends with 1"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(tmp_path, change, message):
    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    model.fit(**options, epochs=2, verbose=0, checkpoint=path, checkpoint_every=1)
    model, options = change(*make("plain")[:2])
    with pytest.raises(ValueError, match=message):
        model.fit(**{"epochs": 2} | options, verbose=0, resume=path)


def test_files_that_are_no_checkpoints(tmp_path):
    path = tmp_path / "m.safetensors"
    model, options, _ = make("plain")
    with pytest.raises(FileNotFoundError, match=r"^there is no checkpoint at .*m\.safetensors: give resume the file"):
        model.fit(**options, resume=path, verbose=0)
    model.save(path)
    with pytest.raises(ModelFileError, match="no checkpoint of a training"):
        model.fit(**options, resume=path, verbose=0)
    model.fit(**options, epochs=1, verbose=0, checkpoint=path, checkpoint_every=1)
    with pytest.raises(ModelFileError, match="checkpoint of a training"):
        numlstm.load_model(path)
    trained = model.get_weights()
    model.set_weights([np.zeros_like(weight) for weight in trained])
    model.load_weights(path)
    for one, other in zip(model.get_weights(), trained, strict=True):
        np.testing.assert_array_equal(one, other)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelFileError):
        model.fit(**options, resume=path, verbose=0)


@pytest.mark.parametrize("every", ["", "60", "1d", "s", 0, -1, "-1s"])
def test_intervals_that_are_none(tmp_path, every):
    model, options, _ = make("plain")
    with pytest.raises(ValueError, match="checkpoint_every"):
        model.fit(**options, checkpoint=tmp_path / "t.safetensors", checkpoint_every=every, verbose=0)


def test_an_interval_needs_a_file():
    model, options, _ = make("plain")
    with pytest.raises(ValueError, match=r"^checkpoint_every='5min' needs the file to write"):
        model.fit(**options, checkpoint_every="5min", verbose=0)


def test_a_place_that_cannot_be_written_is_refused_before_the_training(tmp_path):
    model, options, _ = make("plain")
    with pytest.raises(OSError, match="no folder"):
        model.fit(**options, checkpoint=tmp_path / "none" / "t.safetensors", verbose=0)
    assert not model.built or model.history is None


def test_another_thread_trains_without_handlers(tmp_path):
    model, options, _ = make("plain")
    histories = []
    thread = threading.Thread(
        target=lambda: histories.append(
            model.fit(**options, epochs=2, verbose=0, checkpoint=tmp_path / "t.safetensors")
        )
    )
    thread.start()
    thread.join()
    assert histories[0].epoch == [0, 1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epoch": 10**9}, "is of epoch 1000000001, but the training ends with 9"),
        ({"batch": 10**9}, "it has 1000000000 batches of an epoch, but an epoch has 5"),
        ({"generator": {"bit_generator": "MT19937"}}, "those of 'MT19937', but this numlstm draws from PCG64"),
    ],
)
def test_a_state_that_cannot_be_is_refused(tmp_path, change, words):
    from numlstm import saved
    from numlstm.formats import tensors

    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    model.fit(**options, epochs=1, verbose=0, checkpoint=path, checkpoint_every=3)
    state = saved.training_state(tensors.read(path), path)
    tensors.write(path, saved.describe_training(state | change))
    model, options, _ = make("plain")
    with pytest.raises(ValueError, match=words):
        model.fit(**options, epochs=9, verbose=0, resume=path)


def test_a_damaged_state_is_refused(tmp_path):
    from numlstm import saved
    from numlstm.formats import tensors

    path = tmp_path / "t.safetensors"
    model, options, _ = make("plain")
    model.fit(**options, epochs=1, verbose=0, checkpoint=path, checkpoint_every=1)
    state = saved.training_state(tensors.read(path), path)
    for name in state:
        for value in (None, "text", [], {}, 10**400):
            if state[name] in (value, []) if not isinstance(state[name], dict) else False:
                continue
            tensors.write(path, saved.describe_training(state | {name: value}))
            model, options, _ = make("plain")
            try:
                model.fit(**options, epochs=2, verbose=0, resume=path)
            except ValueError as error:
                assert len(str(error)) < 400  # noqa: PT017
