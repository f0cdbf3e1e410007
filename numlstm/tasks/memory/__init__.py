"""Measure what a recurrent cell remembers: the adding problem and the copy task at growing lags."""
