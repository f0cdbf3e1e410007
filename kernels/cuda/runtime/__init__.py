"""Compiling, launching, memory."""
