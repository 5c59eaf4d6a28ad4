"""The text length that a checkpoint itself states, reported if texts are truncated to less."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.files import own_name, read_json

# A tokenizer without a limit states a number of 30 digits.
_NO_LIMIT = 10**9
# transformers' default `max_length`, in a generation_config.json that nobody edited.
_NOBODYS = 20
# The lengths that authors of published models state, by the end of their names: (tokens, source).
_PUBLISHED: Mapping[re.Pattern[str], tuple[int, str]] = {
    re.compile(r"Skywork-Reward-V2-.*"): (
        16_384,
        "its authors, github.com/allenai/reward-bench/issues/253",
    ),
    re.compile(r"Llama-3\.[13]-Nemotron-70B-Reward(-HF|-Principle)?"): (
        4_096,
        "its model card, docs.api.nvidia.com/nim/reference/nvidia-llama-3_1-nemotron-70b-reward",
    ),
    re.compile(r"ArmoRM-Llama3-8B-v0\.1"): (
        4_096,
        "the pipeline of its model card, huggingface.co/RLHFlow/ArmoRM-Llama3-8B-v0.1",
    ),
}


@dataclass(frozen=True)
class RecommendedLength:
    """The maximum number of tokens that a checkpoint states, and the source.

    Attributes:
        tokens: Tokens of a text, special tokens included.
        source: Where it is stated.
    """

    tokens: int
    source: str

    def __str__(self) -> str:
        return f"{self.tokens:,} tokens ({self.source})"

    def to_json(self) -> dict[str, Any]:
        """The form in results."""
        return {"tokens": self.tokens, "source": self.source}


def recommended_length(checkpoint: Checkpoint, tokenizer: Any) -> RecommendedLength | None:
    """The text length that a checkpoint states; None if it states none.

    Its authors' statement comes first, then its tokenizer's `model_max_length`, then its
    generation config's `max_length`; never more than its positions.

    Args:
        checkpoint: The checkpoint.
        tokenizer: Its tokenizer.
    """
    found = published_length(checkpoint.name) or _of_files(checkpoint, tokenizer)
    positions = checkpoint.positions
    if found is None or positions is None or found.tokens <= positions:
        return found
    return RecommendedLength(positions, "its number of positions, which is below the named length")


def published_length(name: str) -> RecommendedLength | None:
    """The text length that the authors of a published checkpoint state; None if they state none.

    Args:
        name: Its folder or hub id.
    """
    called = own_name(name)
    said = next((said for pattern, said in _PUBLISHED.items() if pattern.fullmatch(called)), None)
    return None if said is None else RecommendedLength(*said)


def tokenizer_length(tokenizer: Any) -> int | None:
    """The maximum number of tokens that a tokenizer states; None if it states none."""
    named = getattr(tokenizer, "model_max_length", None)
    return int(named) if named is not None and 1 < named < _NO_LIMIT else None


def _of_files(checkpoint: Checkpoint, tokenizer: Any) -> RecommendedLength | None:
    named = tokenizer_length(tokenizer)
    if named is not None:
        return RecommendedLength(named, "model_max_length of its tokenizer")
    path = checkpoint.fetch("generation_config.json")
    generated = None if path is None else read_json(path).get("max_length")
    if isinstance(generated, int) and _NOBODYS < generated < _NO_LIMIT:
        return RecommendedLength(generated, "max_length in its generation_config.json")
    return None
