"""The contract, with one file for each file of functions in the backends. `numlstm.kernels` combines them."""
