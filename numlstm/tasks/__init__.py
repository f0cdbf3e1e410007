"""Whole jobs: data, model and report."""
