"""Documents: a prompt with the completions to compare, and what of the data is left out."""
