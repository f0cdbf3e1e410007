"""Layers: each has parameters, a forward pass and a backward pass."""

from typing import TYPE_CHECKING

from numlstm import missing
from numlstm.layers.activation import Activation
from numlstm.layers.attention import AdditiveAttention, Attention
from numlstm.layers.dense import Dense
from numlstm.layers.dot_product import Dot
from numlstm.layers.dropout import Dropout
from numlstm.layers.embedding import Embedding
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer
from numlstm.layers.masking import Masking
from numlstm.layers.merges import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from numlstm.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from numlstm.layers.normalization import LayerNormalization
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

if not TYPE_CHECKING:
    __getattr__, __dir__ = missing.public("numlstm.layers", __all__)
