"""What the harness writes, read again: results, samples, and the forms others expect."""
