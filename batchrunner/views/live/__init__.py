"""The screen of a run on a terminal: a snapshot in, lines out; no decisions."""
