"""numlstm: an LSTM engine in Python on Numba."""
