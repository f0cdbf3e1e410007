"""The CUDA backend: numba.cuda kernels. What each function does is said once, in `numlstm.kernels`.

A module is imported when the first of its functions is asked for: `device.availability` answers without numba-cuda.
"""

import importlib

_HOMES = {
    "asarray": "memory",
    "copy": "memory",
    "describe": "memory",
    "empty": "memory",
    "synchronize": "memory",
    "to_host": "memory",
    "zeros": "memory",
    "preparable": "prepare",
    "prepare": "prepare",
    "on_compile": "launch",
    "bind_lstm_step": "lstm",
    "lstm_backward": "lstm",
    "lstm_forward": "lstm",
    "lstm_plan": "lstm",
    "lstm_state": "lstm",
    "lstm_trace": "lstm",
    "bind_dense_step": "dense",
    "dense_backward": "dense",
    "dense_forward": "dense",
    "huber": "loss",
    "mae": "loss",
    "mse": "loss",
    "adam": "optimizer",
    "clip_norm": "optimizer",
    "rmsprop": "optimizer",
    "sgd": "optimizer",
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
