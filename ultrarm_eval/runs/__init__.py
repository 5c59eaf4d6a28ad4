"""What the harness writes, read again: results, samples, and which of them are the same."""
