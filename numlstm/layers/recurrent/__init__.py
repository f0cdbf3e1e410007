"""Recurrent layers: each has parameters and describes its cell. The loops over time are in the kernels."""
