"""Options for the data that a `data` command reads, and for the rules of its pairs."""

from __future__ import annotations

import argparse

from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules, checked_min_gap
from ultrarm_eval.sources.preference_data import PreferenceData, open_any


def add_data_options(command: argparse.ArgumentParser) -> None:
    """Adds DATA, `--split`, `--revision`, `--preference` and `--min-gap`."""
    add_data_place(command)
    command.add_argument(
        "--preference",
        help=(
            "rating that decides which answer is chosen (UltraFeedback: fine_grained, overall or "
            "an aspect)"
        ),
    )
    command.add_argument(
        "--min-gap", default="0", help="smallest rating difference of a pair (default: %(default)s)"
    )


def add_data_place(command: argparse.ArgumentParser) -> None:
    """Adds DATA, `--split` and `--revision`."""
    command.add_argument("data", metavar="DATA", help="file, folder, hub id, or 'demo'")
    command.add_argument(
        "--split", help="split of a hub data set, or of a folder with several (default: train)"
    )
    # The checkpoint has revisions, too; `plan` and `verify` call the data's --data-revision.
    command.add_argument(
        "--revision",
        "--data-revision",
        dest="data_revision",
        metavar="REVISION",
        help="hub revision of the data",
    )


def rules_of(options: argparse.Namespace) -> ComparisonRules:
    """The preference and the smallest rating gap given on the command line.

    Raises:
        ConfigurationError: The gap is not a number of at least 0.
    """
    return ComparisonRules(options.preference, min_gap=checked_min_gap(options.min_gap))


def open_data(options: argparse.Namespace) -> PreferenceData:
    """Opens the data given on the command line.

    Raises:
        UltrarmEvalError: The data does not exist, or no source recognizes its columns.
    """
    return open_any(options.data, options.split, options.data_revision, registry().sources())
