"""Merges the runs of all shards of the data into one run."""
