"""Attention over packed rows of token trees: one meaning, several kernels."""
