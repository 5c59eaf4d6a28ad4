"""How a text ends, for judges whose head is read at the last token.

`convert` writes this into config.json, so that the converted checkpoint gets the same texts as the
original one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.eos_encoder import EosEncoder
from ultrarm_eval.text_format.first_pad_encoder import FirstPadEncoder
from ultrarm_eval.text_format.template import Template


@dataclass(frozen=True)
class TextEnd:
    """How a text ends. By default it ends as the template writes it.

    Attributes:
        final_id: A token that is appended to every text; None if there is none.
        closed_by_eos: Whether every text ends with EOS, as in OpenRLHF.
        cut_before_id: A text ends before the first occurrence of this token (the padding token);
            None if texts are not cut.
    """

    final_id: int | None = None
    closed_by_eos: bool = False
    cut_before_id: int | None = None

    def encoder(
        self, tokenizer: Any, template: Template, *, name: str, **options: Any
    ) -> TextEncoder:
        """Makes the encoder for such texts.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            name: The checkpoint, for messages.
            **options: As for `TextEncoder`.
        """
        if self.closed_by_eos:
            return EosEncoder(tokenizer, template, name=name, **options)
        if self.cut_before_id is not None:
            return FirstPadEncoder(tokenizer, template, pad_id=self.cut_before_id, **options)
        return TextEncoder(tokenizer, template, final_id=self.final_id, **options)

    def to_json(self) -> dict[str, Any]:
        """The values for config.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, stated: Mapping[str, Any], where: str) -> TextEnd:
        """Reads the values of config.json.

        Args:
            stated: The values.
            where: The field of config.json, for messages.

        Raises:
            CheckpointError: A name or a value is not allowed.
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
