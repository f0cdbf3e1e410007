"""Layers: parameters, a forward pass and a backward pass each."""

from numlstm.layers.activation import Activation
from numlstm.layers.bidirectional import Bidirectional
from numlstm.layers.dense import Dense
from numlstm.layers.dropout import Dropout
from numlstm.layers.embedding import Embedding
from numlstm.layers.gru import GRU
from numlstm.layers.input import Input
from numlstm.layers.layer import Layer
from numlstm.layers.lstm import LSTM
from numlstm.layers.masking import Masking
from numlstm.layers.reshaping import Flatten, RepeatVector
from numlstm.layers.simple_rnn import SimpleRNN
from numlstm.layers.time_distributed import TimeDistributed

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "Input",
    "Layer",
    "Masking",
    "RepeatVector",
    "SimpleRNN",
    "TimeDistributed",
]
