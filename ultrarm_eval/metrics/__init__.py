"""Metrics of a judge: first within a prompt, then over prompts."""
