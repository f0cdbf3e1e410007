"""Callbacks: the hooks that `fit`, `evaluate` and `predict` call, as in Keras, and Keras' own callbacks."""

from typing import TYPE_CHECKING

from numlstm import missing
from numlstm.callbacks.callback import Callback, LambdaCallback
from numlstm.callbacks.rate import LearningRateScheduler, ReduceLROnPlateau
from numlstm.callbacks.record import CSVLogger, History, ModelCheckpoint
from numlstm.callbacks.stopping import EarlyStopping, TerminateOnNaN

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.callbacks", __all__)
