"""One step of each cell: its equations, forward and backward."""
