"""A checkpoint: configuration, weights and tokenizer, looked at before they are loaded."""
