"""Losses: each adds its value to the scalar of the pass and writes the gradient of its mean."""

import math

from numlstm.kernels.cpu.launch import kernel


def mse(y, target, loss, dy):
    """(y - t)²."""
    _mse[y.dtype](y, target, loss, dy)


def mae(y, target, loss, dy):
    """|y - t|."""
    _mae[y.dtype](y, target, loss, dy)


def huber(y, target, loss, dy, delta):
    """e²/2 where |e| <= δ, else δ (|e| - δ/2)."""
    _huber[y.dtype](y, target, loss, dy, delta)


@kernel("real2C real2C float1C real2C")
def _mse(y, target, loss, dy):
    rows, columns = y.shape
    total = 0.0
    for row in range(rows):
        for column in range(columns):
            error = y[row, column] - target[row, column]
            total += error * error
            dy[row, column] = 2.0 * error / (rows * columns)
    loss[0] += total / columns


@kernel("real2C real2C float1C real2C")
def _mae(y, target, loss, dy):
    rows, columns = y.shape
    total = 0.0
    for row in range(rows):
        for column in range(columns):
            error = y[row, column] - target[row, column]
            total += abs(error)
            # NaN, which no comparison holds for, must stay NaN.
            sign = 1.0 if error > 0.0 else -1.0 if error < 0.0 else 0.0 * error
            dy[row, column] = sign / (rows * columns)
    loss[0] += total / columns


@kernel("real2C real2C float1C real2C float")
def _huber(y, target, loss, dy, delta):
    rows, columns = y.shape
    total = 0.0
    for row in range(rows):
        for column in range(columns):
            error = y[row, column] - target[row, column]
            if abs(error) > delta:
                total += delta * (abs(error) - 0.5 * delta)
                slope = math.copysign(delta, error)
            else:
                total += 0.5 * error * error
                slope = error
            dy[row, column] = slope / (rows * columns)
    loss[0] += total / columns
