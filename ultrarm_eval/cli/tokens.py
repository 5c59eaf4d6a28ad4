"""`ultrarm-eval tokens`: the reward after each token of an answer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrarm_eval.cli.judge_options import SHOWING, add_judge_options, chosen_judge
from ultrarm_eval.cli.output import write_result
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.known_settings import identifying, known_settings
from ultrarm_eval.terminal import printable, shortened

if TYPE_CHECKING:
    from ultrarm_eval.engine.token_rewards import TokenRewards

# What the table is drawn with, and what stands for it in ASCII.
_PLAIN = str.maketrans("█▌▐│◂▸⋯␣", "###|<>~_")
# What is told beside the settings that rewards depend on.
_ALSO_TOLD = ("pretrained", "device", "weights_digest")
# Cells of a quoted text: two lines of most terminals.
_QUOTED = 160


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Shows the reward after each token of an answer: what it would be if the text ended there, "
        "and how much the token changed it. For judges likelihood and dpo it is the sum or mean so "
        "far, from the first token of the completion on."
    )
    add_judge_options(command, SHOWING, needs_checkpoint=True)
    command.add_argument(
        "--prompt",
        metavar="TEXT",
        help="the prompt (default: none, the completion is scored by itself)",
    )
    command.add_argument(
        "--completion",
        action="append",
        required=True,
        metavar="TEXT",
        help="a completion; repeatable",
    )
    command.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="text for a terminal, json for scripts (default: %(default)s)",
    )
    command.add_argument(
        "-o", "--output", metavar="FILE", help="write to FILE instead of the terminal"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.judges.loading import require_token_judge

    if options.output is not None:
        _require_folder(Path(options.output))
    choice = chosen_judge(options)
    made = choice.make()
    name = str(getattr(made, "name", choice.kind))
    judge = require_token_judge(made, name)
    found = [judge.rewards_after_tokens(options.prompt, text) for text in options.completion]
    form = _as_json if options.format == "json" else _as_text
    text = form(
        {"name": name, **_told(judge.settings())}, options.prompt, options.completion, found
    )
    write_result(text if options.output else _drawn_plainly(text), options.output)
    return 0


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A judge's settings, without those on how rewards are computed and without counts."""
    known = known_settings()
    return {
        name: value
        for name, value in settings.items()
        if value is not None and (name not in known or known[name].identifies or name in _ALSO_TOLD)
    }


def _as_json(
    settings: Mapping[str, Any],
    prompt: str | None,
    completions: Sequence[str],
    found: Sequence[TokenRewards],
) -> str:
    written = {
        "judge": settings,
        "prompt": prompt,
        "completions": [
            {"completion": text, **vars(rewards), "reward": rewards.reward}
            for text, rewards in zip(completions, found, strict=True)
        ],
    }
    return json.dumps(written, indent=2, default=str) + "\n"


def _as_text(
    settings: Mapping[str, Any],
    prompt: str | None,
    completions: Sequence[str],
    found: Sequence[TokenRewards],
) -> str:
    from ultrarm_eval.cli.token_table import token_table

    names = ("pretrained", *identifying(given=True))
    given = {name: settings[name] for name in names if name in settings}
    words = [f"{name} {value}" for name, value in given.items() if not isinstance(value, Mapping)]
    lines = [printable(", ".join([f"judge {settings['name']}", *words]))]
    if prompt is not None:
        lines.append(f"prompt: {_quoted(prompt)}")
    for number, (text, rewards) in enumerate(zip(completions, found, strict=True), start=1):
        which = f" {number} of {len(completions)}" if len(completions) > 1 else ""
        lines += ["", f"completion{which}: {_quoted(text)}"]
        if rewards.truncated:
            lines.append(
                f"The text has more than max_length={settings.get('max_length')} tokens; its "
                "beginning was truncated."
            )
        lines.append(token_table(rewards).rstrip("\n"))
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return shortened(printable(text), _QUOTED) or "(empty)"


def _require_folder(output: Path) -> None:
    """Refuses a file that cannot be written, before the weights are loaded."""
    if output.is_dir() or not output.parent.is_dir():
        problem = "this is a folder" if output.is_dir() else f"there is no folder {output.parent}"
        raise ConfigurationError(f"-o {output}: {problem}. Name a file in an existing folder.")


def _drawn_plainly(text: str) -> str:
    """The table, drawn in ASCII if the terminal's encoding has no other characters."""
    try:
        "".join(map(chr, _PLAIN)).encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text
