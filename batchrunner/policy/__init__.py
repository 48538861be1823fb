"""Every decision the runner takes, as plain functions and objects.

Nothing here awaits, reads a clock, draws a random number or opens a file: time comes in as
``now`` (monotonic seconds), chance comes in as a number, and what should happen comes out as
a value.
"""
