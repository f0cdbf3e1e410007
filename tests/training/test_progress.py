"""What fit prints, what its callbacks see, and what an interrupt leaves."""

import io
import sys
import warnings

import numpy as np
import pytest
from witness import witness

from numlstm import Sequential
from numlstm.callbacks import Callback, EarlyStopping, LambdaCallback
from numlstm.layers import Dense
from numlstm.training.progress import Compilation, Progress

X = np.random.default_rng(0).normal(size=(10, 3))
Y = X.sum(axis=1)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class PlainTerminal(Terminal):
    encoding = "ascii"


def model():
    made = Sequential([Dense(1, input_shape=(3,))])
    made.compile("sgd", "mse")
    return made


def test_silent(capsys):
    model().fit(X, Y, verbose=0, epochs=2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_one_line_per_epoch_without_a_terminal(capsys, verbose):
    history = model().fit(X, Y, batch_size=4, epochs=2, verbose=verbose, validation_data=(X, Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("Epoch 2/2 - 3/3 - ")
    loss, val_loss = (history.history[name][1] for name in ("loss", "val_loss"))
    assert lines[1].endswith(f" - loss: {loss:.4f} - val_loss: {val_loss:.4f}")


@pytest.mark.parametrize(("terminal", "bar"), [(Terminal, "━" * 20), (PlainTerminal, "=" * 20)])
def test_live_bar(monkeypatch, terminal, bar):
    monkeypatch.setattr(sys, "stdout", terminal())
    progress = Progress(1, steps=40, epochs=2)
    progress.begin(1)
    progress.show(20, {"loss": 0.5})
    progress.end({"loss": 1.5e-5}, 40)
    title, live = sys.stdout.getvalue().split("\n", 1)
    assert title == "Epoch 2/2"
    half, full = live.split("\r")[1:]
    assert half.startswith("20/40 " + bar[:10])
    assert half.endswith("- loss: 0.5000")
    assert full.startswith("40/40 " + bar)
    assert full.endswith("- loss: 1.5000e-05\n")


def test_a_live_line_fits_into_the_terminal(monkeypatch):
    """Of a line that is wrapped only the end would be redrawn, and the rest stay, ten times a second."""
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal())
    progress, logs = Progress(1, steps=40, epochs=1), {f"metric_{number}": 0.5 for number in range(9)}
    progress.begin()
    for step in (10, 20):
        progress.show(step, logs)
    Compilation(model().backend, 1)._tell("recurrent_backward_of_a_very_long_name", True)
    lines = sys.stdout.getvalue().split("\r")[1:] + sys.stderr.getvalue().removeprefix("\r\x1b[K").split("\r")
    assert [len(line) for line in lines] == [39, 39, 39]
    progress.end(logs, 40)
    assert "metric_8: 0.5000" in sys.stdout.getvalue()


def test_live_bar_is_seldom_due(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    progress = Progress(1, steps=10_000)
    progress.begin()
    assert sum(progress.due() for _ in range(1000)) < 100


def test_verbose_is_checked():
    with pytest.raises(ValueError, match="verbose must be 0, 1, 2 or 'auto', not 3"):
        model().fit(X, Y, verbose=3)


def test_hooks_come_in_order():
    calls = []

    class Recorder(Callback):
        def on_train_begin(self, logs=None):
            calls.append("train begin")

        def on_epoch_begin(self, epoch, logs=None):
            calls.append(f"epoch {epoch} begin")

        def on_train_batch_end(self, batch, logs=None):
            calls.append(f"batch {batch}")

        def on_epoch_end(self, epoch, logs=None):
            assert self.model.history.epoch[-1] == epoch
            calls.append(f"epoch {epoch} end {sorted(logs)}")

        def on_train_end(self, logs=None):
            calls.append("train end")

    model().fit(X, Y, batch_size=5, epochs=3, initial_epoch=2, callbacks=[Recorder()], verbose=0)
    assert calls == ["train begin", "epoch 2 begin", "batch 0", "batch 1", "epoch 2 end ['loss']", "train end"]


def test_interrupt_leaves_finished_steps_and_epochs(monkeypatch):
    class Interrupt(Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdout", Terminal())
    made = model()
    start = made.get_weights()
    with pytest.raises(KeyboardInterrupt):
        made.fit(X, Y, batch_size=5, epochs=4, shuffle=False, callbacks=[Interrupt()])
    assert made.history.epoch == [0, 1]

    steps = model()
    steps.set_weights(start)
    for k in range(5):
        rows = slice(5 * (k % 2), 5 * (k % 2) + 5)
        steps.train_on_batch(X[rows], Y[rows])
    for one, other in zip(made.get_weights(), steps.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(made.predict(X), steps.predict(X))


class Losses(Callback):
    """Pretends that the epochs had these losses, and marks the weights with the epoch."""

    def __init__(self, losses):
        self.losses = losses

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = self.losses[epoch]
        self.model.set_weights([np.full((3, 1), epoch), np.full(1, epoch)])


@pytest.mark.parametrize(
    ("losses", "options", "epochs", "best"),
    [
        ([5, 4, 3, 4, 5, 6], {"patience": 2}, 5, 2),
        ([5, 4, 3, 4, 5, 6], {"patience": 0}, 4, 2),
        ([5, 4.9, 4.8, 4.7, 4, 4], {"patience": 2, "min_delta": 0.5}, 3, 0),
        ([5, np.nan, 4, np.nan, np.nan, 3], {"patience": 2}, 5, 2),
        ([np.nan, np.nan, np.nan, 1, 1, 1], {"patience": 3}, 3, 0),
        ([5, 6, 7, 8, 9, 9], {"patience": 1, "start_from_epoch": 3}, 5, 3),
        ([5, 6, 7, 6, 5, 4], {"patience": 1, "mode": "max"}, 4, 2),
        ([6, 5, 4, 3, 2, 1], {}, 6, 5),
    ],
)
def test_early_stopping(losses, options, epochs, best):
    made = model()
    stop = EarlyStopping(restore_best_weights=True, **options)
    made.fit(X, Y, epochs=6, verbose=0, callbacks=[Losses(losses), stop])
    assert len(made.history.epoch) == epochs
    assert stop.best_epoch == best
    assert (made.get_weights()[0] == best).all()


def test_early_stopping_without_its_number_says_so():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model().fit(X, Y, verbose=0, callbacks=[EarlyStopping()])
    assert "EarlyStopping monitors 'val_loss', but there is only: loss" in str(caught[0].message)


def test_callbacks_are_checked():
    with pytest.raises(TypeError, match="callbacks must be instances of"):
        model().fit(X, Y, callbacks=[print])


def test_what_is_compiled_on_the_way_is_told(monkeypatch, capsys):
    """Not all is ready at once: what large batches spread over threads is compiled when the first one comes."""
    made, listeners = model(), []
    monkeypatch.setattr(made.backend, "on_compile", listeners.append)
    compiling = LambdaCallback(on_train_batch_begin=lambda batch, logs: listeners and listeners[-1]("softmax", True))
    made.fit(X, Y, verbose=0, callbacks=compiling)
    assert not listeners
    made.fit(X, Y, verbose=2, batch_size=4, callbacks=compiling)
    assert listeners[-1] is None
    assert capsys.readouterr().err == "Compiling kernels, once: the next run finds them in the cache\n"


@pytest.mark.parametrize("use", ["evaluate", "predict"])
def test_so_it_is_where_nothing_is_trained(monkeypatch, capsys, use):
    made, listeners = model(), []
    monkeypatch.setattr(made.backend, "on_compile", listeners.append)
    hook = f"on_{'test' if use == 'evaluate' else use}_batch_begin"
    compiling = LambdaCallback(**{hook: lambda batch, logs: listeners and listeners[-1]("dense_forward", True)})
    data = (X, Y) if use == "evaluate" else (X,)
    getattr(made, use)(*data, verbose=0, callbacks=compiling)
    assert not listeners
    getattr(made, use)(*data, verbose=2, callbacks=compiling)
    assert listeners[-1] is None
    assert capsys.readouterr().err == "Compiling kernels, once: the next run finds them in the cache\n"


class Tee:
    """As some loggers put it in the place of standard output."""

    def __init__(self, failing=None):
        self.text, self.failing = "", failing

    def write(self, text):
        if self.failing is not None:
            raise self.failing
        self.text += text

    def flush(self):
        pass


def test_an_output_without_isatty_and_encoding(monkeypatch):
    for stream in (tee := Tee(), None):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setattr(sys, "stderr", stream)
        trained = model()
        trained.fit(X, Y, epochs=2, callbacks=[EarlyStopping("loss", verbose=1, patience=0)])
        trained.predict(X, verbose=1)
    assert tee.text.startswith("Epoch 1/2 - ")


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError("disk full"), ValueError("closed file")])
def test_an_output_that_fails_stops_no_training(monkeypatch, error):
    monkeypatch.setattr(sys, "stdout", Tee(error))
    monkeypatch.setattr(sys, "stderr", Tee(error))
    assert len(model().fit(X, Y, epochs=3, verbose=2).history["loss"]) == 3


def test_names_that_the_encoding_lacks_are_replaced(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    named = LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update({"売上": 1.0}))
    model().fit(X, Y, verbose=2, callbacks=[named])
    assert b"??: 1.0000" in raw.getvalue()


TRAINING = """
import time
import numpy as np
from numlstm import Sequential
from numlstm.callbacks import LambdaCallback
from numlstm.layers import Dense

x = np.ones((20, 3))
model = Sequential([Dense(1, input_shape=(3,))])
model.compile("sgd", "mse")
model.train_on_batch(x, x[:, 0])
slowly = LambdaCallback(on_train_batch_end=lambda batch, logs: time.sleep(0.03))
"""

FIT = "model.fit(x, x[:, 0], batch_size=2, callbacks=slowly, epochs={epochs}, verbose={verbose}).epoch"

INTERRUPT = """
def interrupt(batch, logs):
    time.sleep(0.03)
    if batch == 8:
        raise KeyboardInterrupt

try:
    model.fit(x, x[:, 0], batch_size=2, callbacks=LambdaCallback(on_train_batch_end=interrupt))
except KeyboardInterrupt:
    pass
"""

COMPILING = """
from numlstm.training.progress import Compilation

class Kernels:
    def on_compile(self, listener):
        self.listener = listener

kernels = Kernels()
with Compilation(kernels, verbose={verbose}):
    for name in ("dense_forward", "dense_backward"):
        kernels.listener(name, True)
        kernels.listener(name, False)
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Run cells in a Jupyter kernel, and return for each what the saved notebook holds and which updates it had."""
    nbclient, nbformat = witness("nbclient"), witness("nbformat")

    class Client(nbclient.NotebookClient):
        def process_message(self, message, cell, cell_index):
            if message["msg_type"] == "update_display_data":
                updates[cell_index].append(message["content"]["data"])
            return super().process_message(message, cell, cell_index)

    cells = {
        "training": TRAINING + FIT.format(epochs=3, verbose=1),
        "training in lines": FIT.format(epochs=1, verbose=2),
        "silent training": FIT.format(epochs=1, verbose=0),
        "interrupt": INTERRUPT,
        "evaluation": "model.evaluate(x, x[:, 0], verbose=1);",
        "prediction": "model.predict(x, verbose=1);",
        "compiling": COMPILING.format(verbose=1),
        "compiling in lines": COMPILING.format(verbose=2),
        "captured": "%%capture captured\n" + FIT.format(epochs=1, verbose=1),
        "what was captured": "print(captured.stdout); [output.data for output in captured.outputs]",
    }
    updates = [[] for _ in cells]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells.values()])
    folder = str(tmp_path_factory.mktemp("jupyter"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
            patch.setenv(name, folder)
        Client(book, timeout=300).execute()
    nbformat.validate(book)
    return {name: (cell.outputs, found) for name, cell, found in zip(cells, book.cells, updates, strict=True)}


def printed(outputs, stream="stdout"):
    text = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == stream)
    assert all(character.isprintable() or character == "\n" for character in text)
    return text.splitlines()


def test_a_bar_moves_in_a_notebook_and_leaves_a_line_per_epoch(notebook):
    outputs, updates = notebook["training"]
    bar, *lines, value = outputs
    assert bar.output_type == "display_data"
    assert bar.data == {}
    assert value.data["text/plain"] == "[0, 1, 2]"
    epochs = [f"Epoch {epoch}/3 - 10/10 - " for epoch in (1, 2, 3)]
    assert [line[: len(epochs[0])] for line in printed(lines)] == epochs
    *moves, erased = updates
    assert erased == {}
    bars = [data["text/plain"] for data in moves]
    assert all(bar.isprintable() and "━" in bar for bar in bars)
    assert len({bar.split("━")[0] for bar in bars}) > 3, "within no epoch the bar moved"


@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ("training in lines", ["Epoch 1/1 - 10/10 - "]),
        ("silent training", []),
        ("evaluation", ["1/1 - 0s - "]),
        ("prediction", ["1/1 - 0s - "]),
    ],
)
def test_a_notebook_has_no_bar_where_none_is_due(notebook, cell, lines):
    outputs, updates = notebook[cell]
    assert not updates
    assert "display_data" not in {output.output_type for output in outputs}
    for line, start in zip(printed(outputs), lines, strict=True):
        assert line.startswith(start)


def test_an_interrupt_leaves_the_bar_in_a_notebook(notebook):
    (bar,), _ = notebook["interrupt"]
    assert bar.data["text/plain"].startswith("Epoch 1/1 - ")


def test_kernels_are_counted_in_place_in_a_notebook(notebook):
    (line,), updates = notebook["compiling"]
    assert line.data == {"text/plain": "Compiled kernels, once: 2 in 0 s; the next run finds them in the cache"}
    assert updates == [{"text/plain": "Compiling kernels, once: 2 (dense_backward), 0 s"}, line.data]
    outputs, updates = notebook["compiling in lines"]
    assert printed(outputs, "stderr") == ["Compiling kernels, once: the next run finds them in the cache"]
    assert not updates


def test_a_captured_cell_has_no_bar(notebook):
    outputs, updates = notebook["captured"]
    assert not outputs
    assert not updates
    *lines, rest = notebook["what was captured"][0]
    assert printed(lines)[0].startswith("Epoch 1/1 - 10/10 - ")
    assert rest.data["text/plain"] == "[{'text/plain': '[0]'}]", "there is more than the value of the cell"
