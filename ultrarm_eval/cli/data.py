"""`ultrarm-eval data`: its three commands, and what they share."""

from __future__ import annotations

import argparse

from ultrarm_eval.cli import data_binarize, data_inspect, data_show

_COMMANDS = {
    "show": (data_show, "show rows in readable form: prompt, answers, ratings, pairs"),
    "inspect": (data_inspect, "summarize the data: contents, usable rows, problems"),
    "binarize": (data_binarize, "turn rated completions into chosen and rejected answers"),
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = "Inspects preference data, or turns rated completions into pairs."
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (module, help_text) in _COMMANDS.items():
        module.add_arguments(actions.add_parser(name, help=help_text))
