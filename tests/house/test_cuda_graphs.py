"""A training step on CUDA is one graph: the driver is played by the test, which counts its calls."""

from __future__ import annotations

import importlib.util
from collections import Counter

import numpy as np
import pytest
from stand_in_driver import driven

from numlstm import Sequential
from numlstm.callbacks import Callback
from numlstm.layers import LSTM, Dense

pytestmark = pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed")

B, T, STEPS = 32, 10, 8


class Counted(Callback):
    """Counts the driver's calls in each step but the last one."""

    def __init__(self, driver):
        self.driver, self.steps = driver, []

    def on_train_batch_begin(self, batch, logs=None):
        if batch:
            self.steps.append(Counter(self.driver.calls))
        self.driver.calls.clear()


@pytest.fixture
def trained(monkeypatch):
    """Train the model of the sine job for some steps on a driver with these answers: (driver, calls of each step)."""
    from numlstm.kernels.cuda.runtime import launch

    def train(**answers):
        driver = driven(monkeypatch, **answers)
        monkeypatch.setattr(launch.Kernel, "binary", lambda kernel, *_: launch.Binary(kernel.name, b"", 256, 0))
        model = Sequential([LSTM(50, input_shape=(T, 1)), Dense(1)])
        model.compile("adam", "mse", device="cuda", verbose=0)
        counted = Counted(driver)
        model.fit(np.zeros((B * STEPS, T, 1)), np.zeros((B * STEPS, 1)), B, verbose=0, callbacks=[counted])
        return driver, counted.steps

    return train


def test_a_recorded_step_is_an_upload_and_a_graph(trained):
    """At most three calls are allowed. The first step is no recording, and the second one is recorded."""
    driver, steps = trained()
    assert steps[2:] == [Counter(cuMemcpyHtoDAsync=1, cuGraphLaunch=1)] * (STEPS - 3)
    assert steps[0]["cuLaunchKernel"] > 3
    assert set(driver.captured) <= {"cuLaunchKernel", "cuMemsetD8Async", "cuMemcpyDtoDAsync"}
    assert driver.captured.count("cuLaunchKernel") == steps[1]["cuLaunchKernel"] / 2  # Called, and captured.


@pytest.mark.parametrize(
    "answers", [{"cuStreamBeginCapture": 801}, {"cuStreamEndCapture": 901}, {"cuGraphInstantiate": 1}], ids=str
)
def test_where_a_graph_is_refused_the_calls_are_repeated(trained, answers):
    driver, steps = trained(**answers)
    assert "cuGraphLaunch" not in driver.calls
    assert all(step["cuLaunchKernel"] == steps[0]["cuLaunchKernel"] for step in steps[2:])
    assert all(step["cuMemcpyHtoDAsync"] == 1 for step in steps[2:])


def test_what_a_capture_cannot_hold_is_not_lost(trained, monkeypatch):
    """A step that allocates cannot be captured. It is repeated call by call, and the thread has its stream again."""
    from numlstm.kernels import replay
    from numlstm.kernels.cuda.runtime import device, graph

    trained()
    done = []
    again = graph.record_graph(
        lambda: replay.call(lambda: done.append(device.call("cuMemAllocAsync", 8, device.device().stream)))
    )
    again()
    assert len(done) == 2
    assert device.device().stream == device.device().main_stream


def pushed(driver, layers, times):
    """Push the same step many times into the stream of a model on CUDA: the driver's calls of each push."""
    model = Sequential(layers)
    model.build((1, T, 3))
    model.compile(device="cuda", verbose=0)
    stream, counts = model.stream(), []
    x, y = np.zeros(3, "float32"), np.zeros(5, "float32")
    for _ in range(times):
        driver.calls.clear()
        stream.push(x, out=y)
        counts.append(Counter(driver.calls))
    return stream, counts


@pytest.mark.parametrize("units", [50, 300], ids=["persistent", "step by step"])
def test_a_step_of_a_stream_is_an_upload_a_graph_and_a_download(trained, units):
    """Even and odd steps have graphs of their own. The first of each is no recording; the second is recorded."""
    driver, _ = trained()
    layers = [LSTM(units, return_sequences=True), LSTM(20), Dense(5)]
    stream, counts = pushed(driver, layers, 9)
    once = Counter(cuMemcpyHtoDAsync=1, cuGraphLaunch=1, cuMemcpyDtoHAsync=1, cuStreamSynchronize=1)
    assert counts[4:] == [once] * 5
    assert counts[0]["cuLaunchKernel"] == counts[1]["cuLaunchKernel"] > 3
    assert counts[2]["cuStreamBeginCapture"] == counts[3]["cuStreamBeginCapture"] == 1
    stream.reset()
    driver.calls.clear()
    stream.push(np.zeros(3, "float32"))
    assert "cuGraphLaunch" not in driver.calls


def test_where_a_graph_is_refused_a_stream_goes_on(trained):
    driver, _ = trained(cuStreamBeginCapture=801)
    _, counts = pushed(driver, [LSTM(50), Dense(5)], 9)
    assert all(count["cuLaunchKernel"] == counts[0]["cuLaunchKernel"] for count in counts[4:])
    assert all("cuGraphLaunch" not in count for count in counts)
