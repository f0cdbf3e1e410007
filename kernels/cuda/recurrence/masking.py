"""What the passes of all recurrent cells share."""

from numba import cuda

from numlstm.kernels.cuda.products.matmul import multiply
from numlstm.kernels.cuda.runtime.device import SIMULATED
from numlstm.kernels.cuda.runtime.launch import blocks_for, kernel
from numlstm.kernels.cuda.runtime.memory import copy, fill

WORKSPACE = 2**10 if SIMULATED else 2**26
"""Bytes for what a pass without training does not keep, but for as many steps at a time as have room there."""


def find_first(mask, trace):
    """Each row's first valid step."""
    if mask is None:
        fill(trace.first_valid, 0)
    else:
        steps, batch = mask.shape
        _find_first_valid.launch("float32", blocks_for(batch), mask, *mask.strides, trace.first_valid, steps, batch)


def project(weights, x, mask, trace):
    """z = x W + b for all steps that the trace has room for."""
    steps, batch, features = x.shape
    room = trace.x[:steps]
    if mask is None:
        copy(room, x)
    else:
        copy_valid.launch(
            x.dtype, blocks_for(x.size), room, x, *x.strides[:2], mask, *mask.strides, batch, features, x.size
        )
    rows = steps * batch
    z = trace.gates[:steps].reshape(rows, trace.gates.shape[2])
    multiply(room.reshape(rows, features), weights.kernel, z, bias=weights.bias)


@kernel("bool* int int int* int int")
def _find_first_valid(mask, mask_step, mask_row, first_valid, steps, batch):
    """Each row's first step that counts, or the number of steps: a row a thread."""
    for b in range(cuda.grid(1), batch, cuda.gridsize(1)):
        t = 0
        while t < steps and mask[t * mask_step + b * mask_row] == 0:
            t += 1
        first_valid[b] = t


@kernel("real* real* int int bool* int int int int int")
def copy_valid(target, x, x_step, x_row, mask, mask_step, mask_row, batch, features, size):
    """The input, with zeros at masked steps, which are not read."""
    for k in range(cuda.grid(1), size, cuda.gridsize(1)):
        t, b = k // (batch * features), k // features % batch
        value = type(target[k])(0)
        if mask[t * mask_step + b * mask_row] != 0:
            value = x[t * x_step + b * x_row + k % features]
        target[k] = value
