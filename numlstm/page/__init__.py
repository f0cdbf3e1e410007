"""Pages that need nothing but themselves: HTML with charts, for any task's report. No text of theirs is trusted."""
