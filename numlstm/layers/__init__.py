"""Layers: parameters, a forward pass and a backward pass each."""

from numlstm.layers.dense import Dense
from numlstm.layers.layer import Layer
from numlstm.layers.lstm import LSTM

__all__ = ["LSTM", "Dense", "Layer"]
