"""The CUDA backend: numba.cuda kernels. What each function does is said once, in `numlstm.kernels`.

Without numba-cuda it has no functions: `device.availability` says so.
"""

import importlib.util

if importlib.util.find_spec("numba_cuda") is not None:
    from numlstm.kernels.cuda.dense import bind_dense_step, dense_backward, dense_forward
    from numlstm.kernels.cuda.launch import on_compile
    from numlstm.kernels.cuda.loss import huber, mae, mse
    from numlstm.kernels.cuda.lstm import (
        bind_lstm_step,
        lstm_backward,
        lstm_forward,
        lstm_gates,
        lstm_plan,
        lstm_state,
        lstm_trace,
    )
    from numlstm.kernels.cuda.memory import asarray, copy, describe, empty, synchronize, to_host, zeros
    from numlstm.kernels.cuda.optimizer import adam, clip_norm, rmsprop, sgd
    from numlstm.kernels.cuda.prepare import preparable, prepare

__all__ = [
    "adam",
    "asarray",
    "bind_dense_step",
    "bind_lstm_step",
    "clip_norm",
    "copy",
    "dense_backward",
    "dense_forward",
    "describe",
    "empty",
    "huber",
    "lstm_backward",
    "lstm_forward",
    "lstm_gates",
    "lstm_plan",
    "lstm_state",
    "lstm_trace",
    "mae",
    "mse",
    "on_compile",
    "preparable",
    "prepare",
    "rmsprop",
    "sgd",
    "synchronize",
    "to_host",
    "zeros",
]
