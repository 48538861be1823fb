"""Tables out: rows with their answers, as CSV, JSON Lines or Parquet."""
