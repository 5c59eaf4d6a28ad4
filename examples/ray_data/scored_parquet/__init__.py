"""Rewards of the answers in a Parquet data set, part by part; nothing here needs Ray."""
