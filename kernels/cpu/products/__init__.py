"""Matrix products, and what needs all steps at once."""
