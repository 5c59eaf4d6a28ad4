"""Preference data: reading it, recognising its schema, and what of it can be used."""
