"""From token ids to values: shared prefixes, packed rows, running the model, and the score store."""
