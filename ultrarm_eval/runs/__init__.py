"""Reads lm-eval's results and samples, and matches those of several runs."""
