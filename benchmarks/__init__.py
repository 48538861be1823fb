"""Questions with numbers for answers; see README.md."""
