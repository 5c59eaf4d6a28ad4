"""Attention over packed rows of token trees: one definition, several kernels."""
