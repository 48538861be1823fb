"""Results in, files out, safely."""
