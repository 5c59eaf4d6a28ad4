"""Schemas of preference data, which are read into prompts with rated completions."""
