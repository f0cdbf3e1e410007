"""The CPU backend: njit loops over LLVM vectors. What each function does is said once, in `numlstm.kernels`."""

from numlstm.kernels.cpu.dense import dense_backward, dense_forward
from numlstm.kernels.cpu.loss import huber, mae, mse
from numlstm.kernels.cpu.lstm import lstm_backward, lstm_forward, lstm_plan, lstm_state, lstm_trace
from numlstm.kernels.cpu.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
from numlstm.kernels.cpu.optimizer import adam, clip_norm, rmsprop, sgd
from numlstm.kernels.cpu.prepare import prepare

__all__ = [
    "adam",
    "asarray",
    "clip_norm",
    "copy",
    "dense_backward",
    "dense_forward",
    "describe",
    "empty",
    "huber",
    "lstm_backward",
    "lstm_forward",
    "lstm_plan",
    "lstm_state",
    "lstm_trace",
    "mae",
    "mse",
    "prepare",
    "rmsprop",
    "sgd",
    "synchronize",
    "to_host",
    "zeros",
]
