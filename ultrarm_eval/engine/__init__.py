"""From token ids to values: shared prefixes, packed rows, the run over the model, and the store."""
