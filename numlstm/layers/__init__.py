"""Layers: each has parameters, a forward pass and a backward pass."""

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from numlstm import missing
from numlstm.layers.activation import Activation
from numlstm.layers.dense import Dense
from numlstm.layers.dropout import Dropout
from numlstm.layers.embedding import Embedding
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer
from numlstm.layers.masking import Masking
from numlstm.layers.recurrent.bidirectional import Bidirectional
from numlstm.layers.recurrent.gru import GRU
from numlstm.layers.recurrent.lstm import LSTM
from numlstm.layers.recurrent.simple_rnn import SimpleRNN
from numlstm.layers.reshaping import Flatten, RepeatVector
from numlstm.layers.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "AdditiveAttention",
    "Attention",
    "Average",
    "Bidirectional",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "Input",
    "Layer",
    "LayerNormalization",
    "Masking",
    "Maximum",
    "Minimum",
    "Multiply",
    "RepeatVector",
    "SimpleRNN",
    "Subtract",
    "TimeDistributed",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]

_LATER = {
    "attention": ("AdditiveAttention", "Attention"),
    "dot_product": ("Dot",),
    "merges": ("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"),
    "merging": ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply", "Subtract"),
    "normalization": ("LayerNormalization",),
}
"""The modules of layers that few models have, with their names: they are imported when they are asked for."""


def _load(module: str, name: str) -> Any:
    return getattr(import_module(f"numlstm.layers.{module}"), name)


if TYPE_CHECKING:
    from numlstm.layers.attention import AdditiveAttention, Attention
    from numlstm.layers.dot_product import Dot
    from numlstm.layers.merges import add, average, concatenate, dot, maximum, minimum, multiply, subtract
    from numlstm.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
    from numlstm.layers.normalization import LayerNormalization
else:
    _made_late = {name: partial(_load, module, name) for module, names in _LATER.items() for name in names}
    __getattr__, __dir__ = missing.public("numlstm.layers", __all__, _made_late)
