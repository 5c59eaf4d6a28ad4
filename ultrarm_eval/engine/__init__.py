"""From token ids to values: shared prefixes, packed rows, running the model, score stores."""
