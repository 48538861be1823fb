"""Files in, jobs out, lazily."""
