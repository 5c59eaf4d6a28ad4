"""Rows of data, out of files, tables and the hub: reading them, and counting what is left out."""
