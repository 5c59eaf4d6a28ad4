"""The command line `ultrarm-eval`."""

from ultrarm_eval.cli.main import main

__all__ = ["main"]
