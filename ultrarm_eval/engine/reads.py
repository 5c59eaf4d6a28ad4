"""Values computed from a network's outputs at several tokens of a text.

A causal network's output at a token equals its output for the text that ends there. So the prefixes
that end at the read tokens are computed, each once for all texts that begin with it; in rows
without padding no token is computed twice for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ultrarm_eval.text_format.tokens import Tokens

__all__ = ["Compose", "Outputs", "Reads"]

#: A network's outputs at the read tokens, float64, shape (tokens read, width).
Outputs: TypeAlias = npt.NDArray[np.float64]
#: Computes the value of a text from them, and its details as JSON values.
Compose: TypeAlias = Callable[[Outputs], tuple[float, Any]]


class Reads:
    """The prefixes at whose ends outputs are read, and which texts are complete.

    Attributes:
        ends: Distinct prefixes, whose ends are read.
        text_of: For each of them the index of a text that is read there.
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
        """Adds a network's outputs at ends.

        Args:
            ends: Indices into `ends`.
            outputs: The outputs.

        Returns:
            The indices of the texts that are now complete, and all their outputs.
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
    """The outputs at several tokens as one array, shape (tokens, width)."""
    return np.stack([np.atleast_1d(one) for one in found])
