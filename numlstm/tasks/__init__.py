"""Tasks: complete jobs with data, model and report."""
