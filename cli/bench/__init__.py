"""Benchmarks: ours and the peers' by turns, after they have agreed. `numlstm bench` runs them."""
