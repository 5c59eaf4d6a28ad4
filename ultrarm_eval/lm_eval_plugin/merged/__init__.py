"""Several runs over parts of the data as the one run over all of it that they are."""
