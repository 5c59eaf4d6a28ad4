"""The tables and pages of the documentation that are made from the code: one file a table."""
