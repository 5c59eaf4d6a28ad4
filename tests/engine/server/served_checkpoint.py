"""What a server of the tests computes with: a real checkpoint, one text at a time, by torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.text_format.tokens import Tokens


class ServedCheckpoint:
    """A checkpoint as an inference server has it: token ids in, the raw reward out.

    Attributes:
        judge: Our judge of it, which computes by torch, each text in a forward pass of its own.
        tokenizer: Its tokenizer.
        name: Its name on the server.
        max_model_len: The most tokens of a text.
        vocabulary_size: How many token ids there are.
        dtype: What it computes in.
    """

    def __init__(
        self, judge: Any, *, name: str | None = None, max_model_len: int | None = None
    ) -> None:
        self.judge, self.tokenizer = judge, judge.tokenizer
        self.name = name or str(judge.given.pretrained)
        self.root = str(judge.given.pretrained)
        config = judge.checkpoint.config
        self.max_model_len = max_model_len or int(config.max_position_embeddings)
        self.vocabulary_size = int(config.vocab_size)
        self.dtype = str(judge.dtype).removeprefix("torch.")
        self.bos_id = self.tokenizer.bos_token_id
        self._known: dict[tuple[int, ...], float] = {}
        self._lock = threading.Lock()

    def rewards(self, texts: Sequence[Sequence[int]]) -> list[float]:
        """The rewards of texts, read at their last tokens; each is computed once."""
        with self._lock:
            for ids in map(tuple, texts):
                if ids not in self._known:
                    self._known[ids] = self.judge.network.compute_alone(Tokens.of(ids))
            return [self._known[tuple(ids)] for ids in texts]

    def ids(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """A text as the checkpoint's own tokenizer reads it: `</s>` in it is a control token."""
        encoded = self.tokenizer(text, add_special_tokens=add_special_tokens)
        return list(encoded["input_ids"])
