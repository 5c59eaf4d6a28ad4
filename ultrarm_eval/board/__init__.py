"""A board over many evaluations: what of it can be compared, and how it comes out."""
