"""What `compile` and `prepare` make ready, seen from a process in which nothing else may be."""

from __future__ import annotations

import pytest

MODELS = {
    "plain": "LSTM(5, return_sequences=True, input_shape=(6, 3)), LSTM(40)",
    "masked": """Masking(input_shape=(6, 3)), Bidirectional(LSTM(5, return_sequences=True)), Dense(4),
    LSTM(3, zero_output_for_mask=True, return_sequences=True), Bidirectional(LSTM(40))""",
    "normalized": "LSTM(4, return_sequences=True, input_shape=(6, 3)), LayerNormalization(), LSTM(3)",
    "last outputs": "Masking(input_shape=(6, 3)), LSTM(4), RepeatVector(6), Bidirectional(LSTM(5))",
}


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("layers", MODELS)
def test_compile_makes_ready_all_that_fit_runs(python, layers, threads):
    """Once compiled, training fetches no further kernel."""
    code = f"""
import numpy as np
from numlstm import Sequential, optimizers
from numlstm.layers import LSTM, Bidirectional, Dense, LayerNormalization, Masking, RepeatVector

model = Sequential([{MODELS[layers]}, Dense(2)])
model.compile(optimizers.RMSprop(global_clipnorm=1.0), "huber", device="cpu")
from numlstm.kernels.cpu.runtime import launch

def refuse(*arguments):
    raise AssertionError("a kernel was not ready")

launch._make_dispatcher = refuse
model.fit(np.zeros((40, 6, 3)), np.zeros((40, 2)), epochs=2, verbose=0)
"""
    python(code, NUMBA_NUM_THREADS=threads)


def test_compile_makes_the_kernel_of_ctc_ready(python):
    python(
        """
import numpy as np
from numlstm import Sequential, losses
from numlstm.layers import LSTM, Dense, Masking

model = Sequential([Masking(input_shape=(6, 3)), LSTM(5, return_sequences=True), Dense(4)])
model.compile("adam", losses.CTC(), device="cpu")
from numlstm.kernels.cpu.runtime import launch

def refuse(*arguments):
    raise AssertionError("a kernel was not ready")

launch._make_dispatcher = refuse
model.fit(np.ones((40, 6, 3)), np.full((40, 2), 1), epochs=2, verbose=0)
""",
        NUMBA_NUM_THREADS="2",
    )


def test_compile_makes_the_kernels_of_sampled_classes_ready(python):
    python(
        """
import numpy as np
from numlstm import Sequential, losses
from numlstm.layers import LSTM, Dense, Masking

model = Sequential([Masking(input_shape=(6, 3)), LSTM(5, return_sequences=True), Dense(9)])
model.compile("adam", losses.SampledSoftmax(3), device="cpu")
from numlstm.kernels.cpu.runtime import launch

def refuse(*arguments):
    raise AssertionError("a kernel was not ready")

launch._make_dispatcher = refuse
model.fit(np.ones((40, 6, 3)), np.full((40, 6), 1), epochs=2, validation_split=0.2, verbose=0)
""",
        NUMBA_NUM_THREADS="2",
    )


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
def test_all_that_can_be_prepared_is_all_that_large_models_run(python, threads):
    """Large batches, both directions, and one row of many units. `numlstm warmup --all` asks for the same."""
    python(
        """
import itertools
import numpy as np
from numlstm import Sequential, backend
from numlstm.layers import GRU, LSTM, Bidirectional, Dense, SimpleRNN

cpu = backend.load("cpu")
from numlstm.kernels.cpu.runtime import launch

make, prepared = launch._make_dispatcher, set()

def record(function, signature, name):
    prepared.add((name, str(signature)))
    return make(function, signature, name)

def refuse(function, signature, name):
    # A kernel may be fetched a second time, by its dtype instead of the dtype's name.
    assert (name, str(signature)) in prepared, f"{name} was not ready"
    return make(function, signature, name)

launch._make_dispatcher = record
cpu.prepare(cpu.preparable(), "float32")
launch._make_dispatcher = refuse
for (rows, units), layer_class in itertools.product(((300, 40), (1, 300)), (LSTM, SimpleRNN, GRU)):
    model = Sequential([Bidirectional(layer_class(units, return_sequences=True)), layer_class(units), Dense(units)])
    model.compile("adam", "mse", device="cpu", verbose=0)
    model.fit(np.zeros((rows, 9, 30)), np.zeros((rows, units)), batch_size=rows, epochs=3, verbose=0)
""",
        timeout=600,
        NUMBA_NUM_THREADS=threads,
    )
