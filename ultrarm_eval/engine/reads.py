"""Values that are made of what a network gives at several tokens of a text.

A causal network gives at a token what it gives of the text that ends there. So the texts that end
at the tokens that are read are computed, each once for all texts that begin with it; in rows
without padding no token is computed twice for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ultrarm_eval.text_format.tokens import Tokens

__all__ = ["Compose", "Outputs", "Reads"]

#: What a network gives at the tokens that are read, float64, shape (tokens read, width).
Outputs: TypeAlias = npt.NDArray[np.float64]
#: Makes of it the value of a text, and what that was made of, as JSON values.
Compose: TypeAlias = Callable[[Outputs], tuple[float, Any]]


class Reads:
    """The ends that texts are read at, and the texts that are complete.

    Attributes:
        ends: Distinct texts, whose ends are read.
        text_of: For each of them a text that is read there, by its index.
    """

    def __init__(self, texts: Sequence[Tokens]) -> None:
        """Takes the texts, each with its `Tokens.reads`."""
        self.ends: list[Tokens] = []
        self.text_of: list[int] = []
        places: dict[Tokens, int] = {}
        self._places: list[list[int]] = []
        self._texts_at: list[list[int]] = []
        for index, text in enumerate(texts):
            own = []
            for end in text.prefixes():
                if end not in places:
                    places[end] = len(self.ends)
                    self.ends.append(end)
                    self.text_of.append(index)
                    self._texts_at.append([])
                own.append(places[end])
                self._texts_at[places[end]].append(index)
            self._places.append(own)
        self._lacking = [len(set(own)) for own in self._places]
        self._found: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, ends: Sequence[int], outputs: Outputs) -> list[tuple[int, Outputs]]:
        """Takes what a network gives at ends.

        Args:
            ends: Indices into `ends`.
            outputs: What it gives there.

        Returns:
            The texts that are complete with it, by their indices, and all that is read of them.
        """
        whole = []
        for end, output in zip(ends, outputs, strict=True):
            self._found[end] = output
            for text in dict.fromkeys(self._texts_at[end]):
                self._lacking[text] -= 1
                if not self._lacking[text]:
                    whole.append(text)
        return [(i, as_outputs([self._found[end] for end in self._places[i]])) for i in whole]


def as_outputs(found: Sequence[npt.NDArray[np.float64]]) -> Outputs:
    """What is read at several tokens as one array, shape (tokens, width)."""
    return np.stack([np.atleast_1d(one) for one in found])
