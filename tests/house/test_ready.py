"""What `compile` makes ready, seen from a process in which nothing else may be."""

from __future__ import annotations

import pytest

MODELS = {
    "plain": "LSTM(5, return_sequences=True, input_shape=(6, 3)), LSTM(40)",
    "masked": """Masking(input_shape=(6, 3)), Bidirectional(LSTM(5, return_sequences=True)), Dense(4),
    LSTM(3, zero_output_for_mask=True, return_sequences=True), Bidirectional(LSTM(40))""",
    "last outputs": "Masking(input_shape=(6, 3)), LSTM(4), RepeatVector(6), Bidirectional(LSTM(5))",
}


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("layers", MODELS)
def test_compile_makes_ready_all_that_fit_runs(python, layers, threads):
    """Once compiled, training fetches no further kernel."""
    code = f"""
import numpy as np
from numlstm import Sequential, optimizers
from numlstm.layers import LSTM, Bidirectional, Dense, Masking, RepeatVector

model = Sequential([{MODELS[layers]}, Dense(2)])
model.compile(optimizers.RMSprop(global_clipnorm=1.0), "huber", device="cpu")
from numlstm.kernels.cpu.runtime import launch

def refuse(*arguments):
    raise AssertionError("a kernel was not ready")

launch._make_dispatcher = refuse
model.fit(np.zeros((40, 6, 3)), np.zeros((40, 2)), epochs=2, verbose=0)
"""
    python(code, NUMBA_NUM_THREADS=threads)
