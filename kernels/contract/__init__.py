"""The contract, a file for each file of the backends: `numlstm.kernels` puts it together."""
