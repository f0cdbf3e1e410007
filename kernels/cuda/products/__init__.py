"""Matrix products, and the gradients that need all steps at once."""
