"""What `scripts/recordings.py` is made of: inputs, commands, recordings and their comparison."""
