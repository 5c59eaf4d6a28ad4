"""A checkpoint: configuration, weights and tokenizer, inspected before they are loaded."""
