"""Runs side by side: differences told from chance, and agreement of judges."""
