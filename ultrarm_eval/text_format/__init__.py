"""How a prompt and a completion become the token ids that a model reads."""
