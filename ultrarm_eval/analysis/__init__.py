"""What the samples of a run say about a judge."""
