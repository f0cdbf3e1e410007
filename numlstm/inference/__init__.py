"""Other uses of a trained network: streams and input gradients."""
