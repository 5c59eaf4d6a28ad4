"""What an engine outside torch's needs to know of the network that it computes with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.tokens import Tokens


@dataclass(frozen=True)
class ServedModel:
    """A checkpoint whose reward is one number that a decoder gives at one token of a text.

    Attributes:
        judge: The judge, for messages.
        checkpoint: The checkpoint; its weights are not loaded by us.
        dtype: The dtype that it is said to compute in: float32, bfloat16 or float16.
        max_length: The most tokens of a text.
        tokenizer: Transformers' tokenizer of the checkpoint.
        as_read: A text up to the token at which the reward is read, which is its last: what
            follows that token plays no part in a decoder.
        encode: The texts of prompts and completions, for texts of the engine's own (probes).
    """

    judge: str
    checkpoint: Checkpoint
    dtype: str
    max_length: int
    tokenizer: Any
    as_read: Callable[[Tokens], Tokens]
    encode: Callable[[Sequence[Prompt], Sequence[str]], list[Tokens]]
