"""What a server of the tests computes with where no checkpoint is needed: a function of the ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass
class ServedFunction:
    """A function as an inference server has a checkpoint; see `ServedCheckpoint`.

    Attributes:
        score: Gives the reward of token ids.
        tokenizer: The tokenizer.
        name: Its name on the server.
        root: Where the server has it from; its name if None.
        max_model_len: The most tokens of a text.
        vocabulary_size: How many token ids there are.
        dtype: What the server says that it computes in.
        read: Makes token ids of a text; the tokenizer if None.
    """

    score: Callable[[list[int]], float]
    tokenizer: Any
    name: str = "demo"
    root: str | None = None
    max_model_len: int = 4096
    vocabulary_size: int = 10**6
    dtype: str = "float32"
    read: Callable[[str], list[int]] | None = None

    def __post_init__(self) -> None:
        self.root = self.root or self.name
        self.bos_id = self.tokenizer.bos_token_id

    def rewards(self, texts: Sequence[Sequence[int]]) -> list[float]:
        return [self.score(list(ids)) for ids in texts]

    def ids(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        if self.read is not None:
            return self.read(text)
        return list(self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])
