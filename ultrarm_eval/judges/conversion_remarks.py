"""Remarks on a conversion: rounded weights, negated costs, padding."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.conversion import Conversion
from ultrarm_eval.checkpoints.conversion_record import ConversionRecord
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge


def remarks(
    judge: CheckpointJudge,
    conversion: Conversion,
    pad_id: int | None,
    record: ConversionRecord | None,
) -> tuple[str, ...]:
    """Remarks on a conversion, in sentences.

    Args:
        judge: The judge of the source.
        conversion: The written weights.
        pad_id: The padding token that config.json names; None if there is none.
        record: The record of the conversion in config.json; None for a checkpoint that had
            transformers' class already.
    """
    found = []
    rounded, tokenizer = len(conversion.rounded), judge.tokenizer
    if rounded:
        found.append(
            f"{rounded} weights are rounded to {str(conversion.dtype).removeprefix('torch.')}; "
            "--dtype float32 keeps every bit"
        )
    if conversion.standard.sign < 0:
        found.append("costs were negated: the signs of the head's weights are flipped")
    if record is None:
        found.append(
            "it was a sequence classification model already: configuration, padding token and "
            "texts are unchanged"
        )
        return tuple(found)
    before = judge.checkpoint.config.pad_token_id
    if before is None and pad_id is not None:
        found.append("a padding token was added: transformers' class needs one for batches")
    elif pad_id != before:
        found.append(
            f"the padding token was {named_token(tokenizer, before)} and was replaced, because "
            "texts can contain it: transformers' class would use the token before it"
        )
    if pad_id is None:
        found.append(
            "there is no usable padding token: with transformers' class, pass one text at a time "
            "(engines do)"
        )
    elif pad_id == judge.encoder.bos_id:
        found.append(
            "only BOS can be the padding token; with transformers before 4.50, pass one text at a "
            "time"
        )
    return tuple(found)


def named_token(tokenizer: Any, token: int | None) -> str:
    """A token with its id, for messages."""
    if token is None:
        return "none"
    # Some configurations name ids that are not in the vocabulary, most often -1.
    name = tokenizer.convert_ids_to_tokens(token) if 0 <= token < len(tokenizer) else None
    return f"{name or 'no token'} ({token})"
