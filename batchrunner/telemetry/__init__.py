"""What operators watch a run with: metrics to be scraped, and traces to be sent."""
