"""The loops through time, the same for every cell."""
