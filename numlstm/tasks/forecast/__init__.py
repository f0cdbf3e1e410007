"""Forecast a series: the default task."""
