"""Turning texts into rewards: encoding, batches, and the run over the model."""
