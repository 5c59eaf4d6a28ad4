"""Pages that a person reads: one file each, without a network."""
