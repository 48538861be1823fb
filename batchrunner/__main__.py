"""``python -m batchrunner``."""

from .cli import main

main()
