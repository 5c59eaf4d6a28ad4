"""Documents: prompts with completions to score, made from rows of preference data."""
