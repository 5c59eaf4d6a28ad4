"""`ultrarm-eval data`: its three commands, and what they have in common."""

from __future__ import annotations

import argparse

from ultrarm_eval.cli import data_binarize, data_inspect, data_show

_COMMANDS = {
    "show": (data_show, "rows as a person reads them: prompt, answers, ratings, pairs"),
    "inspect": (data_inspect, "what is in the data, what is usable, what is wrong"),
    "binarize": (data_binarize, "write chosen and rejected answers out of rated completions"),
}


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares what the command takes."""
    command.description = "Looks into preference data, or turns rated completions into pairs."
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, (module, help_text) in _COMMANDS.items():
        module.add_arguments(actions.add_parser(name, help=help_text))
