"""Benchmarks: ours and the peers' take turns, after their results agree. `numlstm bench` runs them."""
