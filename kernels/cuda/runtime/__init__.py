"""Compilation, launches and memory."""
