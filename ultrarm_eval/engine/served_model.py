"""What engines other than torch need to know about a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.tokens import Tokens


@dataclass(frozen=True)
class ServedModel:
    """A checkpoint whose reward is one number that a decoder outputs at one token of a text.

    Attributes:
        judge: The judge, for messages.
        checkpoint: The checkpoint; this package does not load its weights.
        dtype: The dtype of the computation: float32, bfloat16 or float16.
        max_length: The maximum number of tokens per text.
        tokenizer: Transformers' tokenizer of the checkpoint.
        as_read: Cuts a text after the token at which the reward is computed: a decoder ignores
            what follows.
        encode: Encodes prompts and completions, for the engine's own texts (probes).
    """

    judge: str
    checkpoint: Checkpoint
    dtype: str
    max_length: int
    tokenizer: Any
    as_read: Callable[[Tokens], Tokens]
    encode: Callable[[Sequence[Prompt], Sequence[str]], list[Tokens]]
