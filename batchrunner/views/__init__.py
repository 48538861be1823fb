"""What people see of a run: statistics in, text out; no decisions."""
