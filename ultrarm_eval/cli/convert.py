"""`ultrarm-eval convert`: a checkpoint as transformers' sequence classification class."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ultrarm_eval.cli.judge_options import add_judge_options, chosen_judge
from ultrarm_eval.data.counts import counted
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.settings import DTYPES
from ultrarm_eval.terminal import aligned

if TYPE_CHECKING:
    from ultrarm_eval.judges.conversion import Converted

_PREFIXES = ("", "k", "m", "g", "t")
_UNITS = {
    "": 1,
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate(_PREFIXES)},
    **{f"{prefix}b": 1000**power for power, prefix in enumerate(_PREFIXES)},
}
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?i?B|)", re.IGNORECASE)
_OPTIONS = ("revision", "peft", "peft_revision", "template")
#: transformers' model families whose classifiers sglang supports (python/sglang/srt/models:
#: llama_reward, gemma2_reward, qwen2_classification, qwen3_classification).
SGLANG = frozenset({"llama", "gemma2", "qwen2", "qwen3"})
#: Those that text-embeddings-inference supports (backends/candle/src/lib.rs and models): encoders.
#: It refuses classifiers of Mistral, Qwen2, Qwen3 and Gemma 3, and has no Llama.
TEI = frozenset(
    {"bert", "camembert", "deberta-v2", "distilbert", "modernbert", "roberta", "xlm-roberta"}
)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Converts a reward model to transformers' sequence classification class, for engines that "
        "support no other class. The reward must be one linear scalar at the last token. Weights "
        "are read and written one tensor at a time; the folder appears once it is complete."
    )
    add_judge_options(command, _OPTIONS, is_first=True)
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="new folder to write to"
    )
    command.add_argument(
        "--dtype",
        choices=DTYPES,
        help=(
            "dtype of the body's weights (default: as stored); the final norm and the head are "
            "never rounded"
        ),
    )
    command.add_argument(
        "--max-shard-size",
        default="5GB",
        metavar="SIZE",
        help="largest size of a weight file, such as 500MB or 2GiB (default: %(default)s)",
    )
    command.add_argument(
        "--overwrite", action="store_true", help="replace an earlier conversion in that folder"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    most = byte_count(options.max_shard_size)
    choice = chosen_judge(options)
    if choice.pretrained is None:
        raise ConfigurationError(
            f"judge={choice.kind} has no checkpoint to convert. Name a judge that has one, or "
            "leave --judge out."
        )
    from ultrarm_eval.judges.conversion import convert

    found = convert(
        choice.pretrained,
        options.output.expanduser(),
        judge=choice.kind,
        dtype=options.dtype,
        max_shard_bytes=most,
        overwrite=options.overwrite,
        settings=choice.settings,
    )
    sys.stdout.write(_as_text(found) + "\n")
    return 0


def byte_count(size: str) -> int:
    """Parses a number of bytes written with a unit.

    Args:
        size: Such as `500MB` or `2GiB`.

    Raises:
        ConfigurationError: It is not a number of bytes above 0.
    """
    match = _BYTES.fullmatch(size.strip())
    count = 0 if match is None else int(float(match[1]) * _UNITS[match[2].lower()])
    if count < 1:
        raise ConfigurationError(
            f"--max-shard-size {size}: give a number of bytes above 0, such as 500MB or 2GiB."
        )
    return count


def _as_text(found: Converted) -> str:
    weights = found.weights
    dtypes = ", ".join(f"{count} in {dtype}" for dtype, count in found.dtypes.items())
    files = counted(len(weights.files), "file")
    lines = [
        ("written", f"{found.folder} ({found.class_name})"),
        ("weights", f"{weights.size / 1024**2:,.1f} MiB in {files}: {dtypes}"),
        ("SHA-256", weights.digest),
        ("judge", f"was {found.judge}; judge=auto loads the new folder with the same template"),
        ("template", f"{found.template} (recorded in config.json, so it is the default)"),
        (
            "padding",
            f"{found.pad_token or 'no token'}: the reward is read at the last token before it",
        ),
        *(("note", remark) for remark in found.remarks),
        *_commands(found),
    ]
    return aligned(lines, texts=(0, 1))


def _commands(found: Converted) -> list[tuple[str, str]]:
    """How to start engines with it, and how to get its rewards from them."""
    folder, length = shlex.quote(str(found.folder)), found.max_length
    evaluate = f"lm_eval --model reward-model --model_args pretrained={folder},engine=server"
    lines = [
        (
            "vllm",
            f"vllm serve {folder} --runner pooling --dtype {found.dtype} --max-model-len {length}",
        )
    ]
    if found.family in SGLANG:
        dtype = f"--dtype {found.dtype} --context-length {length}"
        lines.append(
            (
                "sglang",
                f"python -m sglang.launch_server --model-path {folder} --is-embedding {dtype}",
            )
        )
    else:
        lines.append(("sglang", f"does not support {found.class_name}"))
    if found.family == "qwen2":
        lines.append(
            (
                "",
                "its Qwen2 head has a bias that no checkpoint sets, so all rewards may be shifted "
                "by a constant; check with ultrarm-eval verify --engine server",
            )
        )
    if found.family in TEI:
        lines.append(("tei", f"text-embeddings-router --model-id {folder} --port 8080"))
    else:
        lines.append(("tei", f"supports only classifiers of encoders, not {found.class_name}"))
    lines.append(("rewards", f"{evaluate},base_url=http://127.0.0.1:8000 --tasks rewardbench2"))
    return lines
