"""How texts end, where a decoder's head is read.

A converted checkpoint says it in its config.json, so that its texts are those of the judge that it
was converted from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.text_format.closed_text_encoder import ClosedTextEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.first_pad_encoder import FirstPadEncoder
from ultrarm_eval.text_format.template import Template


@dataclass(frozen=True)
class TextEnd:
    """What stands at the end of a text; without any of these, what the template writes.

    Attributes:
        final_id: The token that is put behind every text; None if there is none.
        closed_by_eos: Whether every text ends in EOS, as OpenRLHF writes texts.
        cut_before_id: The token before the first of which a text ends; None if there is none.
    """

    final_id: int | None = None
    closed_by_eos: bool = False
    cut_before_id: int | None = None

    def encoder(
        self, tokenizer: Any, template: Template, *, name: str, **options: Any
    ) -> TextEncoder:
        """What makes such texts.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            name: The checkpoint, for messages.
            **options: As for `TextEncoder`.
        """
        if self.closed_by_eos:
            return ClosedTextEncoder(tokenizer, template, name=name, **options)
        if self.cut_before_id is not None:
            return FirstPadEncoder(tokenizer, template, pad_id=self.cut_before_id, **options)
        return TextEncoder(tokenizer, template, final_id=self.final_id, **options)

    def to_json(self) -> dict[str, Any]:
        """What config.json says of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, stated: Mapping[str, Any], where: str) -> TextEnd:
        """Reads what config.json says.

        Args:
            stated: What it says.
            where: The field, for messages.

        Raises:
            CheckpointError: A value is none that it can have.
        """
        found = cls()
        known = found.to_json()
        for name, value in stated.items():
            is_id = value is None or (
                isinstance(value, int) and not isinstance(value, bool) and value >= 0
            )
            is_right = isinstance(value, bool) if name == "closed_by_eos" else is_id
            if name not in known or not is_right:
                raise CheckpointError(
                    f"{where}: {name} is {value!r}; allowed are {', '.join(known)}: token ids, "
                    "and true or false for closed_by_eos. Convert the checkpoint again."
                )
        return cls(**stated)
