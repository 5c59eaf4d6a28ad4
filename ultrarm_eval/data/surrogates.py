"""Halves of surrogate pairs: JSON can spell them, no encoding can write them."""

from __future__ import annotations

import dataclasses

from ultrarm_eval.messages import Message, well_formed
from ultrarm_eval.sources.records import DataCounts, PromptRecord


def writable(record: PromptRecord, counts: DataCounts) -> PromptRecord:
    """A record in whose texts and names they are replaced by question marks, and counted."""
    texts = [
        *(text for message in record.prompt for text in (message["role"], message["content"])),
        *(text for c in record.completions for text in (c.text, c.model or "")),
        record.source or "",
    ]
    broken = sum(well_formed(text) != text for text in texts)
    if not broken:
        return record
    counts.add("texts_with_lone_surrogates", broken)
    return dataclasses.replace(
        record,
        prompt=tuple(
            Message(role=well_formed(m["role"]), content=well_formed(m["content"]))
            for m in record.prompt
        ),
        completions=tuple(
            dataclasses.replace(
                c,
                text=well_formed(c.text),
                model=None if c.model is None else well_formed(c.model),
            )
            for c in record.completions
        ),
        source=None if record.source is None else well_formed(record.source),
    )
