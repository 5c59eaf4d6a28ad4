"""The contents of preference data, and their problems."""
