"""Several Python threads on one model, forks after use, threading layers of the user: in processes of their own."""

from __future__ import annotations

import importlib
import importlib.metadata

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

LAYERS = ["tbb", "omp", "workqueue"]


def available(name):
    try:
        if name == "tbb":
            importlib.metadata.version("tbb")
        else:
            importlib.import_module(f"numba.np.ufunc.{'omppool' if name == 'omp' else name}")
    except ImportError:
        return False
    return True


@pytest.fixture(params=[None, *LAYERS])
def layer_chosen(request):
    """A threading layer that the user asks for in the environment; None: the choice is ours."""
    if request.param is not None and not available(request.param):
        pytest.skip(f"there is no {request.param} here")
    return request.param


def test_eight_python_threads_share_a_model(python, layer_chosen):
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
    python(SETUP, script, NUMBA_THREADING_LAYER=layer_chosen, NUMBA_NUM_THREADS=2)


def test_two_models_train_at_once(python, layer_chosen):
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
    python(SETUP, script, NUMBA_THREADING_LAYER=layer_chosen, NUMBA_NUM_THREADS=2)


def test_predict_in_a_forked_child(python, layer_chosen):
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
    python(SETUP, script, NUMBA_THREADING_LAYER=layer_chosen, NUMBA_NUM_THREADS=2)


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


def test_the_users_threading_layer_is_left_alone(python, layer_chosen):
    script = """
model.predict(x, verbose=0)
import numba
print(numba.threading_layer())
"""
    used = python(SETUP, script, NUMBA_THREADING_LAYER=layer_chosen, NUMBA_NUM_THREADS=2).strip()
    if layer_chosen is not None:
        assert used == layer_chosen
    elif available("tbb"):
        assert used == "tbb", "tbb is here, and the only layer that stands both threads and forks"
