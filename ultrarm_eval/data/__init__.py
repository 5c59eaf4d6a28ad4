"""Reads rows of data from files, tables and the hub, and counts what is excluded."""
