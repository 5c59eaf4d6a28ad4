"""`ultrarm-eval tokens`: its arguments, and what it shows."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrarm_eval.cli.forms import write_to_terminal
from ultrarm_eval.cli.kinds import add_kind, with_kind
from ultrarm_eval.errors import ConfigurationError

if TYPE_CHECKING:
    from ultrarm_eval.engine.token_rewards import TokenRewards

# What the table is drawn with, and what stands for it in ASCII.
_PLAIN = str.maketrans("█▌▐│◂▸⋯␣", "###|<>~_")
_SETTINGS = ("revision", "template", "special_tokens", "system", "dtype", "device", "max_length")
# How rewards are computed, not what they are; nothing is counted here.
_LEFT_OUT = frozenset(
    {
        "batching",
        "attn_implementation",
        "torch_compile",
        "parameters",
        "counts",
        "scoring_seconds",
    }
)
_IN_TEXT = (
    "pretrained",
    "revision",
    "template",
    "dtype",
    "quantization",
    "special_tokens",
    "system",
    "max_length",
    "reduction",
    "beta",
    "reference",
)
# Cells of a quoted text: two lines of most terminals.
_QUOTED = 160


def add_tokens(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `tokens`."""
    command = commands.add_parser(
        "tokens",
        help="show the reward after each token of an answer",
        description=(
            "Shows what the reward would be if the text ended after each of its tokens, and how "
            "much each token changed it. Likelihood and dpo have rewards from the completion's "
            "first token on: the sum or mean so far."
        ),
    )
    command.add_argument(
        "--pretrained", required=True, metavar="DIR", help="checkpoint: folder, hub id, or 'demo'"
    )
    command.add_argument("--prompt", metavar="TEXT", help="left out: the completion stands alone")
    command.add_argument(
        "--completion",
        action="append",
        required=True,
        metavar="TEXT",
        help="repeat it to see several completions, one after the other",
    )
    add_kind(command)
    command.add_argument("--revision", help="hub revision of the checkpoint")
    command.add_argument("--template", help="how prompt and completion become one text")
    command.add_argument("--special-tokens", choices=["text", "parse"])
    command.add_argument("--system", choices=["error", "fold", "drop"])
    command.add_argument("--dtype", help="auto, float32, bfloat16 or float16")
    command.add_argument("--device", help="cpu, cuda, cuda:N (default: first GPU, else CPU)")
    command.add_argument("--max-length", type=int, help="most tokens of a text")
    command.add_argument("--format", choices=["text", "json"], default="text")
    command.add_argument("-o", "--output", metavar="FILE", help="write there, not to the terminal")
    command.set_defaults(run=_run_tokens)


def _run_tokens(options: argparse.Namespace) -> int:
    from ultrarm_eval.judges.loading import make_judge, require_token_judge

    output = None if options.output is None else _checked(Path(options.output))
    given = {name: getattr(options, name) for name in _SETTINGS}
    settings = {name: value for name, value in given.items() if value is not None}
    settings = with_kind(options, options.pretrained, settings)
    kind = settings.pop("judge")
    made = make_judge(kind, {"pretrained": options.pretrained, **settings})
    name = str(getattr(made, "name", kind))
    judge = require_token_judge(made, name)
    found = [judge.rewards_after_tokens(options.prompt, text) for text in options.completion]
    said = {
        "name": name,
        **{
            setting: value
            for setting, value in judge.settings().items()
            if setting not in _LEFT_OUT and value is not None
        },
    }
    form = _as_json if options.format == "json" else _as_text
    _write(form(said, options.prompt, options.completion, found), output)
    return 0


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
    from ultrarm_eval.cli.printable import printable, shortened
    from ultrarm_eval.cli.token_table import token_table

    def quoted(text: str) -> str:
        return shortened(printable(text), _QUOTED) or "(empty)"

    words = [f"{name} {settings[name]}" for name in _IN_TEXT if name in settings]
    lines = [printable(", ".join([f"judge {settings['name']}", *words]))]
    if prompt is not None:
        lines.append(f"prompt: {quoted(prompt)}")
    for number, (text, rewards) in enumerate(zip(completions, found, strict=True), start=1):
        which = f" {number} of {len(completions)}" if len(completions) > 1 else ""
        lines += ["", f"completion{which}: {quoted(text)}"]
        if rewards.truncated:
            lines.append(
                f"The text has more than max_length={settings.get('max_length')} tokens: its "
                "beginning was cut."
            )
        lines.append(token_table(rewards).rstrip("\n"))
    return "\n".join(lines) + "\n"


def _checked(output: Path) -> Path:
    """A file that can be written, found out before the weights are loaded."""
    if output.is_dir() or not output.parent.is_dir():
        problem = "this is a folder" if output.is_dir() else f"there is no folder {output.parent}"
        raise ConfigurationError(f"-o {output}: {problem}. Name a file in an existing folder.")
    return output


def _write(text: str, output: Path | None) -> None:
    if output is not None:
        output.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{output}\n")
        return
    write_to_terminal(_drawn_plainly(text))


def _drawn_plainly(text: str) -> str:
    """A table drawn in ASCII where the terminal has no other characters."""
    try:
        "".join(map(chr, _PLAIN)).encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text
