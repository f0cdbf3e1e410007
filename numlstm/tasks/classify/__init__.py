"""Classification: a class for each sequence."""
