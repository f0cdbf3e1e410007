"""The loop through time, once for every cell."""
