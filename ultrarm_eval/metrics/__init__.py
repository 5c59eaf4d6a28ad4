"""Metrics of a judge: first within each prompt, then aggregated over prompts."""
