"""A training step on CUDA is one graph: the driver is played by the test, which counts its calls."""

from __future__ import annotations

import importlib.util
from collections import Counter

import numpy as np
import pytest
from stand_in_driver import StandIn

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
    from numlstm.kernels.cuda.runtime import device, launch

    if device.SIMULATED:
        pytest.skip("in the simulator no driver is asked")

    def train(**answers):
        driver = StandIn(**answers)
        monkeypatch.setattr(device, "_driver", lambda: driver)
        monkeypatch.setattr(device, "_opened", None)
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
