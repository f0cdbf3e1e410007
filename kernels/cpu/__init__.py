"""The CPU backend: njit loops over LLVM vectors. What each function does is said once, in `numlstm.kernels`."""

from numlstm.kernels.cpu.dense import dense_backward, dense_forward, prepare_dense_step
from numlstm.kernels.cpu.launch import compile_kernel, kernel_names, on_compile
from numlstm.kernels.cpu.loss import huber, mae, mse
from numlstm.kernels.cpu.lstm import (
    lstm_backward,
    lstm_forward,
    lstm_plan,
    lstm_state,
    lstm_trace,
    prepare_lstm_step,
)
from numlstm.kernels.cpu.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
from numlstm.kernels.cpu.optimizer import adam, clip_norm, rmsprop, sgd

__all__ = [
    "adam",
    "asarray",
    "clip_norm",
    "compile_kernel",
    "copy",
    "dense_backward",
    "dense_forward",
    "describe",
    "empty",
    "huber",
    "kernel_names",
    "lstm_backward",
    "lstm_forward",
    "lstm_plan",
    "lstm_state",
    "lstm_trace",
    "mae",
    "mse",
    "on_compile",
    "prepare_dense_step",
    "prepare_lstm_step",
    "rmsprop",
    "sgd",
    "synchronize",
    "to_host",
    "zeros",
]
