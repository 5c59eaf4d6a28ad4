"""An encoded text: its token ids, and what happened while it was encoded."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """The input of an engine; with the same judge, equal `Tokens` have equal rewards.

    Attributes:
        packed: The token ids as int32 in the machine's byte order.
        start: Index of the completion's first token, for judges that compute its likelihood; of the
            second text's first token, for models with token types. None for other judges.
        reads: Indices of the tokens at which the network is read, ascending; if empty, only the
            last token.
        reads_cut: The number of further such tokens that were truncated on the left.
    """

    packed: bytes
    start: int | None = None
    reads: tuple[int, ...] = ()
    reads_cut: int = 0

    @classmethod
    def of(
        cls,
        ids: Iterable[int],
        start: int | None = None,
        reads: Iterable[int] = (),
        reads_cut: int = 0,
    ) -> Tokens:
        """Packs token ids."""
        return cls(array("i", ids).tobytes(), start, tuple(reads), reads_cut)

    @property
    def ids(self) -> TokenIds:
        """The token ids as a read-only array, shape (tokens,)."""
        return np.frombuffer(self.packed, dtype=np.int32)

    @property
    def identity(self) -> bytes:
        """The text's key in a score store."""
        # Before the ids, as in score stores of earlier versions.
        places = [] if self.start is None else [self.start]
        if self.reads or self.reads_cut:
            # Their number comes first, as a negative value, which no id has: otherwise two
            # different texts could have the same key.
            places += [-1 - len(self.reads), *self.reads, self.reads_cut]
        return array("i", places).tobytes() + self.packed

    def prefixes(self) -> list[Tokens]:
        """The prefixes of the text that end with each token at which the network is read.

        The last output of a causal network on a prefix equals its output at that token of the
        whole text.
        """
        if not self.reads:
            return [Tokens(self.packed)]
        size = array("i").itemsize
        return [Tokens(self.packed[: (at + 1) * size]) for at in self.reads]

    def __iter__(self) -> Iterator[int]:
        """The token ids as numbers."""
        return iter(self.ids.tolist())

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.packed) // array("i").itemsize


@dataclass(frozen=True, slots=True)
class EncodedText:
    """An encoded text.

    Attributes:
        tokens: Its tokens, with BOS first if the tokenizer has one.
        truncated: Whether it was truncated on the left.
        spells_special_tokens: Whether prompt or completion contain special-token text, so that
            ``special_tokens="text"`` and ``"parse"`` differ.
        remarks: The names of the other counts that apply to it.
    """

    tokens: Tokens
    truncated: bool
    spells_special_tokens: bool
    remarks: tuple[str, ...] = ()
