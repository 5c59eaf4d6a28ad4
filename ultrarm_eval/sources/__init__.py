"""Schemas of preference data, each read into prompts with rated completions."""
