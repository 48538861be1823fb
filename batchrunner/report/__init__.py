"""The HTML report of an output: what happened, and what to change."""
