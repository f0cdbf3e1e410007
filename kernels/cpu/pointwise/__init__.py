"""Functions of single elements, and of rows."""
