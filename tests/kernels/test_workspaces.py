"""Arrays in which weights are packed again: never those that somebody reads."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from numlstm.layers import GRU, LSTM, SimpleRNN

SHAPES = [(100,), (7, 3), (0,)]


@pytest.fixture
def memory():
    return importlib.import_module("numlstm.kernels.cpu.runtime.memory")


def test_what_nobody_reads_is_used_again(memory):
    kept = memory.workspaces(None, SHAPES, "float32")
    assert [array.shape for array in kept] == SHAPES
    assert all(array.ctypes.data % memory.VECTOR_BYTES == 0 for array in kept if array.size)
    assert memory.workspaces(kept, SHAPES, "float32") is kept
    assert memory.workspaces(kept, SHAPES[:2], "float32") is not kept


@pytest.mark.parametrize("number", range(len(SHAPES)))
def test_what_somebody_reads_is_left_alone(memory, number):
    kept = memory.workspaces(None, SHAPES, "float32")
    reader = kept[number]
    assert memory.workspaces(kept, SHAPES, "float32") is not kept
    del reader
    assert memory.workspaces(kept, SHAPES, "float32") is kept


def test_weights_that_a_pass_reads_stay_while_others_are_set():
    layer, x = LSTM(5, return_sequences=True), np.ones((2, 3, 4), "float32")
    layer(x)
    held = [*layer.kernel_weights.packed["forward"][1]]
    before = [array.copy() for array in held]
    layer.set_weights([weight + 1.0 for weight in layer.get_weights()])
    layer(x)
    for array, then in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, then)
    packed = layer.kernel_weights.packed["forward"][1]
    del held, array
    layer.set_weights(layer.get_weights())
    layer(x)
    assert layer.kernel_weights.packed["forward"][1] is packed


@pytest.mark.parametrize("pack", ["packed", "packed_transposed"])
@pytest.mark.parametrize("layer_class", [LSTM, GRU, SimpleRNN])
def test_a_pass_under_way_keeps_its_weights(layer_class, pack):
    """A pass holds a tuple of panels, and compiled code counts no references."""
    packing = importlib.import_module("numlstm.kernels.cpu.recurrence.packing")
    kernels = importlib.import_module("numlstm.kernels.cpu.recurrence.kernels").kernels_of(
        layer_class(1).make_cell(1).name, False
    )
    layer, x = layer_class(5), np.ones((2, 3, 4), "float32")
    layer.backward(layer.forward(x, training=True))
    kernels = importlib.import_module("numlstm.kernels.cpu.recurrence.kernels").kernels_of(layer.cell.name, False)
    more = (True,) if pack == "packed_transposed" else ()
    under_way = getattr(packing, pack)(layer.cell, kernels, layer.kernel_weights, *more)
    before = b"".join(array.tobytes() for array in under_way)
    for _ in range(3):
        layer.set_weights([weight + 1.0 for weight in layer.get_weights()])
        layer.backward(layer.forward(x, training=True))
    assert b"".join(array.tobytes() for array in under_way) == before
