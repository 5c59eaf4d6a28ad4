"""The interface to lm-evaluation-harness; nothing else in this package imports it."""
