"""Documents: what is scored, made of the rows of preference data."""
