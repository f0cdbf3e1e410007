"""Kernels of the CPU that are one function with different globals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numba import njit

from numlstm.kernels.cpu.recurrence.kernels import _part, kernels_of
from numlstm.kernels.cpu.runtime.launch import _FLAGS, kernel


@njit(inline="always")
def double(number):
    return 2.0 * number


@njit(inline="always")
def square(number):
    return number * number


change, offset = double, 0


@kernel("real1C none int int")
def change_all(numbers, options, chunk, chunks):
    for k in range(chunk, numbers.size, chunks):
        numbers[k] = change(numbers[k]) + offset
        if options is not None:
            numbers[k] *= options[0]


def run(kernel, options=None):
    numbers = np.array([1.0, 2.0, 3.0])
    kernel["float64"](numbers, options, 0, 1)
    return numbers.tolist()


def test_a_specialized_kernel_uses_its_own_values():
    squared = change_all.specialize("squared", change=square, offset=1)
    assert run(change_all) == [2, 4, 6]
    assert run(squared) == [2, 5, 10]
    assert squared.name == "change_all, squared"
    assert squared.symbol("float64") == "numlstmchange_all_squared_float64"
    assert squared.shareable


def test_a_specialized_kernel_takes_options_too():
    optional = change_all.specialize("squared_optionally", change=square).with_options("float")
    assert optional.name == "change_all, squared_optionally, with options"
    assert run(optional, (10.0,)) == [10, 40, 90]


def test_one_name_stands_for_one_set_of_values():
    change_all.specialize("named", change=square, offset=1)
    change_all.specialize("named", change=square, offset=1)
    for values in ({"change": double, "offset": 1}, {"change": square, "offset": 2}, {"change": square}):
        with pytest.raises(ValueError, match="change_all_named already stands for other values"):
            change_all.specialize("named", **values)


def test_a_global_that_is_not_used_is_refused():
    with pytest.raises(ValueError, match="change_all uses no global named chnage"):
        change_all.specialize("misspelt", chnage=square)


# Specialized by one function per process, under one name.
PROCESS = """
import json, sys
import numpy as np
from numba.core import event
sys.path.insert(0, {folder!r})
from test_specialized_kernels import change_all, double, run, square

compiled = []

class Compilations(event.Listener):
    def on_start(self, event):
        compiled.append(event.data["dispatcher"].py_func.__name__)

    def on_end(self, event):
        pass

event.register("numba:compile", Compilations())
result = run(change_all.specialize("other", change={change}))
print(json.dumps([result, "change_all_other" in compiled]))
"""


def test_the_cache_keeps_values_apart(python, tmp_path, request):
    def run_with(change):
        script = PROCESS.format(folder=str(request.path.parent), change=change)
        return json.loads(python(script, NUMBA_CACHE_DIR=tmp_path))

    assert run_with("square") == [[1, 4, 9], True]
    assert run_with("square") == [[1, 4, 9], False]
    assert run_with("double") == [[2, 4, 6], True]


def test_the_loops_count_no_references():
    """A count of references is a word that all threads would write, at every step of a loop."""
    forward = kernels_of("lstm", False).forward
    forward["float32"]  # So that what it links to is there.
    with_tuples = njit(**_FLAGS)(forward._function)
    with_tuples.compile(forward._types("float32"))
    (text,) = with_tuples.inspect_llvm().values()
    assert "forward_steps_lstm" in text
    assert "NRT_" not in text


@pytest.mark.parametrize("gates", [(0, None, 1, None), (0, 1, None), (0, 1)])
def test_slots_that_are_no_neighbours_are_refused(gates):
    with pytest.raises(ValueError, match="one or four slots, of which a matrix takes neighbours"):
        _part(gates)
