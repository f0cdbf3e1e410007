"""Generate text: a language model of characters or words."""
