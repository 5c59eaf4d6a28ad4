"""The edge to lm-evaluation-harness; nothing else in this package imports it."""
