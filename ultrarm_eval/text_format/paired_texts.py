"""Token ids of two texts, and where the second begins, for models that tell them apart by types.

The place travels with the ids as a first number, as that of a completion does for a language
model (`ultrarm_eval.text_format.completion_tokens`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ultrarm_eval.engine.token_ids import packed
from ultrarm_eval.messages import Prompt, well_formed
from ultrarm_eval.text_format.completion_place import PlacedText
from ultrarm_eval.text_format.encoder import EncodedText, TextEncoder


@dataclass(frozen=True)
class PairedText(PlacedText):
    """A text that may be two.

    Attributes:
        second_start: Index of the second text's first token; the number of tokens where there is
            no second text.
    """

    second_start: int


class PairEncoder(TextEncoder):
    """Encodes prompt and completion as two texts; a completion without a prompt is one text."""

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[str], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        # Whole here: where the second text begins is known before anything is cut.
        wholes = list(super()._encode_batch(prompts, completions, numbers))
        mark = f"\ue000c-{secrets.token_hex(8)}\ue001"
        conversations = [self._messages(prompt) for prompt in prompts]
        before = [
            well_formed(self._write(self.template, messages, mark)[0].partition(mark)[0])
            for messages in conversations
            if messages
        ]
        lengths = iter([len(self._behind_bos(ids)) for ids in self._tokenise(before)])
        for whole, messages in zip(wholes, conversations, strict=True):
            yield self._paired(whole, next(lengths) if messages else len(whole.ids))

    def _most_tokens(self) -> int | None:
        return None

    def _paired(self, whole: EncodedText, start: int) -> EncodedText:
        ids = list(whole.ids)
        cut = max(0, len(ids) - self.max_length)
        if cut:
            prefix = ids[:1] if self.bos_id is not None else []
            ids = prefix + ids[len(ids) - self.max_length + len(prefix) :]
            start = max(start - cut, len(prefix))
        return replace(whole, packed_ids=packed([start, *ids]), truncated=cut > 0)
