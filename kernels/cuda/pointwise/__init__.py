"""What is done number by number, or row by row."""
