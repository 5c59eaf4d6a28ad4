"""`ultrarm-eval plan` and `ultrarm-eval verify`: their arguments."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ultrarm_eval.cli.kinds import add_kind, with_kind
from ultrarm_eval.demo import DEMO_NAME

_SETTINGS = {
    "template": str,
    "special_tokens": str,
    "system": str,
    "dtype": str,
    "device": str,
    "max_length": int,
    "batch_size": str,
    "max_batch_tokens": int,
    "batching": str,
    "attn_implementation": str,
    "quantization": str,
    "parity": str,
}

_FLAGS = ("parallelize", "torch_compile")


def add_checks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `plan` and `verify`."""
    plan = commands.add_parser(
        "plan",
        help="show what a run would compute",
        description=(
            "Shows texts, tokens, batches and an estimated time for scoring a data set, without "
            "loading the weights."
        ),
    )
    plan.add_argument("data", metavar="DATA", help=f"file, folder, hub id, or '{DEMO_NAME}'")
    _add_common(plan)
    plan.set_defaults(run=_run_plan)
    verify = commands.add_parser(
        "verify",
        help="compare batches with one text at a time",
        description=(
            "Scores a sample in batches and one text at a time, and shows the largest drift and "
            "how many pairs are ordered otherwise. Exit status 1 over the threshold."
        ),
    )
    verify.add_argument(
        "--data", default=DEMO_NAME, help="file, folder or hub id (default: %(default)s)"
    )
    _add_common(verify)
    verify.add_argument("--n", type=int, default=64, help="prompts (default: %(default)s)")
    verify.add_argument("--threshold", type=float, help="largest drift that passes")
    verify.set_defaults(run=_run_verify)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--pretrained", required=True, metavar="DIR", help="checkpoint: folder, hub id, or 'demo'"
    )
    add_kind(command)
    command.add_argument("--revision", help="hub revision of the checkpoint")
    command.add_argument("--split", help="of a hub data set, or of a folder with several")
    command.add_argument("--data-revision", help="hub revision of the data")
    for name, kind in _SETTINGS.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=kind)
    for name in _FLAGS:
        command.add_argument(f"--{name.replace('_', '-')}", action="store_true", default=None)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    names = ("revision", *_SETTINGS, *_FLAGS)
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _run_plan(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.plan import plan_run

    data = (options.data, options.split, options.data_revision)
    settings = with_kind(options, options.pretrained, _settings(options))
    sys.stdout.write(plan_run(*data, options.pretrained, settings))
    return 0


def _run_verify(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.verify import verify_batches

    text, passed = verify_batches(
        options.data,
        options.split,
        options.data_revision,
        options.pretrained,
        with_kind(options, options.pretrained, _settings(options)),
        prompts=options.n,
        threshold=options.threshold,
    )
    sys.stdout.write(text)
    return 0 if passed else 1
