"""Training and evaluation of a network: batches, the loops over batches, and the progress display."""
