"""A text as a model reads it: its token ids, and remarks about its encoding."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

TokenIds = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an engine computes; equal where every reward of one judge is.

    Attributes:
        packed: The token ids, four bytes each in the machine's order.
        start: Index of the first token of the completion, for judges that read its tokens alone;
            of the second text, for models that tell two apart. None where nobody asks for it.
        reads: Indices of the tokens at which the network is read, ascending; the last token alone
            if empty.
        reads_cut: At how many tokens more it would be read, had they not been cut off before it.
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
        # The place before the ids: the files of earlier versions have it there.
        places = [] if self.start is None else [self.start]
        if self.reads or self.reads_cut:
            # How many places there are comes first, and below 0, as no id is: else the places of
            # one text could be those of another and the ids behind them.
            places += [-1 - len(self.reads), *self.reads, self.reads_cut]
        return array("i", places).tobytes() + self.packed

    def prefixes(self) -> list[Tokens]:
        """The texts that end with each of the tokens at which the network is read.

        A causal network gives of them what it gives of the whole text at these tokens.
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
    """A text, encoded.

    Attributes:
        tokens: Its tokens, BOS first where the tokenizer uses one.
        truncated: Whether tokens were cut off on the left.
        spells_special_tokens: Whether prompt or completion spell a special token, so that
            ``special_tokens="text"`` and ``"parse"`` differ.
        remarks: What else happened to it, by the names of the counts.
    """

    tokens: Tokens
    truncated: bool
    spells_special_tokens: bool
    remarks: tuple[str, ...] = ()
