"""Several Python threads on one model, forks after use, numba's own threads beside ours: in processes of their own."""

from __future__ import annotations

import pytest

# Large enough for all kernels to go to several threads.
SETUP = """
import os, sys, threading
import numpy as np
import numlstm
from numlstm import Sequential
from numlstm.layers import LSTM, Dense

numlstm.set_seed(1)
layer = LSTM(130, return_sequences=True, input_shape=(20, 34))
model = Sequential([layer, LSTM(65), Dense(3)])
model.build((None, 20, 34))
x = np.random.default_rng(0).normal(size=(65, 20, 34)).astype("float32")
"""


def test_eight_python_threads_share_a_model(python):
    script = """
barrier, answers, errors = threading.Barrier(8), [], []

def work(number):
    # All start at once, on weights that nobody has packed yet and kernels that nobody has loaded.
    try:
        barrier.wait()
        for _ in range(20):
            answers.append((layer(x).tobytes(), model.predict(x, verbose=0).tobytes()))
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
assert len(answers) == 160
assert set(answers) == {(layer(x).tobytes(), model.predict(x, verbose=0).tobytes())}
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


def test_two_models_train_at_once(python):
    """Each as if it were alone: no workspace is shared."""
    script = """
def trained(seed):
    model = Sequential([LSTM(65, return_sequences=True, input_shape=(20, 34)), LSTM(17), Dense(1)])
    model.build((None, 20, 34))
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(size=w.shape) * 0.1 for w in model.get_weights()])
    model.compile(optimizer="adam", loss="mse")
    for _ in range(10):
        model.train_on_batch(x, random.normal(size=(65, 1)))
    return b"".join(w.tobytes() for w in model.get_weights())

alone = [trained(seed) for seed in range(4)]
together = [None] * 4

def work(seed):
    together[seed] = trained(seed)

threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert together == alone
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


def test_predict_in_a_forked_child(python):
    script = """
expected = model.predict(x, verbose=0).tobytes()
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if model.predict(x, verbose=0).tobytes() == expected else 1)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"the child ended with status {status}"
    assert model.predict(x, verbose=0).tobytes() == expected
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


def test_predict_in_a_pool_of_forked_workers(python):
    script = """
import multiprocessing
expected = model.predict(x, verbose=0).tobytes()

def predict(_):
    return model.predict(x, verbose=0).tobytes()

with multiprocessing.get_context("fork").Pool(2) as pool:
    assert set(pool.map(predict, range(8))) == {expected}
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


def test_train_in_a_forked_child(python):
    script = """
y = np.zeros((65, 3))
weights = model.get_weights()
model.compile(optimizer="sgd", loss="mse")
expected = [model.train_on_batch(x, y) for _ in range(3)]
child = os.fork()
if child == 0:
    model.set_weights(weights)
    os._exit(0 if [model.train_on_batch(x, y) for _ in range(3)] == expected else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_numbas_own_parallel_loops_go_on_beside_ours(python, layer):
    script = """
import numba

@numba.njit(parallel=True)
def double(x):
    for k in numba.prange(len(x)):
        x[k] *= 2

expected = model.predict(x, verbose=0).tobytes()
for _ in range(10):
    numbers = np.arange(1000.0)
    double(numbers)
    assert numbers.tolist() == [2.0 * k for k in range(1000)]
    assert model.predict(x, verbose=0).tobytes() == expected
print(numba.threading_layer())
"""
    if layer == "omp":
        pytest.importorskip("numba.np.ufunc.omppool")
    assert python(SETUP, script, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS=2).strip() == layer


def test_more_threads_than_cores(python):
    """Those that are not running are not waited for, unless they have taken a chunk."""
    script = """
alone = numlstm.layers.LSTM(130, return_sequences=True)
alone.build((None, 20, 34), layer.get_weights())
import numba
expected = alone(x).tobytes()
numba.set_num_threads(1)
assert alone(x).tobytes() == expected
numba.set_num_threads(7)
for _ in range(200):
    assert alone(x).tobytes() == expected
"""
    python(SETUP, script, NUMBA_NUM_THREADS=7)


def test_threads_that_have_fallen_asleep_wake_up_again(python):
    script = """
import time
expected = layer(x).tobytes()
for pause in (0.0, 1e-5, 1e-4, 1e-3, 1e-2):
    for _ in range(30):
        time.sleep(pause)
        assert layer(x).tobytes() == expected
before = time.process_time()
time.sleep(0.3)
assert time.process_time() - before < 0.1, "a thread that waits for work keeps a core busy"
"""
    python(SETUP, script, NUMBA_NUM_THREADS=2)


@pytest.mark.parametrize("class_name", ["LSTM", "GRU", "SimpleRNN"])
def test_threads_that_meet_new_weights_together_compute_the_same(python, class_name):
    """The weights are packed by the first thread, while the others come."""
    script = f"""
from numlstm.layers import GRU, LSTM, SimpleRNN

layer, random = {class_name}(96, input_shape=(None, 3)), np.random.default_rng(1)
layer.build((None, None, 3))
x = random.normal(size=(1, 2, 3)).astype("float32")
for _ in range(60):
    weights = [random.normal(size=weight.shape) for weight in layer.get_weights()]
    layer.set_weights(weights)
    barrier, answers = threading.Barrier(6), []

    def work():
        barrier.wait()
        answers.append(layer(x).tobytes())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    answers.append(layer(x).tobytes())
    assert len(answers) == 7 and len(set(answers)) == 1
"""
    python(SETUP + script)


def test_threads_that_use_a_cell_first_make_its_kernels_once(python):
    script = """
from numlstm.kernels.cpu.recurrence import kernels

kernels._made.clear()
sys.setswitchinterval(1e-6)
barrier, found = threading.Barrier(8), []

def work():
    barrier.wait()
    found.append(kernels.kernels_of("gru", True))

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(map(id, found))) == 1
kernels._made.clear()
kernels.kernels_of("gru", True)  # As after a Ctrl-C in the middle.
"""
    python(SETUP + script)
