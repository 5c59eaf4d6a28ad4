"""The record in a converted checkpoint's config.json of the judge that it was converted from.

A standard classifier does not state its prompt template: its tokenizer's chat template would be
used, which differs from, for example, UltraRM's. So it is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.errors import CheckpointError

#: The field of config.json.
RECORD = "ultrarm_eval"


@dataclass(frozen=True)
class ConversionRecord:
    """How the texts of a converted checkpoint are rendered.

    Attributes:
        judge: The judge that it was converted from.
        template: That judge's template.
        text_end: How a text ends: see `ultrarm_eval.text_format.text_end`.
    """

    judge: str
    template: str
    text_end: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The record as it is written to config.json."""
        return {"judge": self.judge, "template": self.template, "text_end": dict(self.text_end)}


def recorded(name: str, values: Mapping[str, Any]) -> ConversionRecord | None:
    """The record in a config.json; None if the checkpoint was not converted by this package.

    Args:
        name: The checkpoint, for messages.
        values: The content of its config.json.

    Raises:
        CheckpointError: The record is damaged.
    """
    stated = values.get(RECORD)
    if stated is None:
        return None
    found = stated if isinstance(stated, Mapping) else {}
    judge, template, end = (found.get(key) for key in ("judge", "template", "text_end"))
    if not (isinstance(judge, str) and isinstance(template, str) and isinstance(end, Mapping)):
        raise CheckpointError(
            f"{name}: config.json: {RECORD} is {quoted(stated)}; it must contain the judge and "
            "template that the checkpoint was converted from. Convert it again (ultrarm-eval "
            "convert)."
        )
    return ConversionRecord(judge, template, end)
