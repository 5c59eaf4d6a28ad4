"""What is to be known of a conversion: what was rounded, negated, and can pad."""

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
    """What is to be known of a conversion, in sentences.

    Args:
        judge: The judge of the source.
        conversion: What was written.
        pad_id: The padding token that config.json names; None if there is none.
        record: What config.json says of the conversion; None for a checkpoint that was of
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
        found.append("costs were negated: the head's numbers have the other sign")
    if record is None:
        found.append(
            "it was a sequence classification model already: configuration, padding token and "
            "texts are as they were"
        )
        return tuple(found)
    before = judge.checkpoint.config.pad_token_id
    if before is None and pad_id is not None:
        found.append("the padding token was named here: transformers' class needs one for batches")
    elif pad_id != before:
        found.append(
            f"the padding token was {named_token(tokenizer, before)}, which texts can have: "
            "transformers' class would read those too early"
        )
    if pad_id is None:
        found.append(
            "no token can pad: with transformers' class, give one text at a time (engines do so)"
        )
    elif pad_id == judge.encoder.bos_id:
        found.append(
            "no other token than BOS can pad; with transformers before 4.50 give one text at a time"
        )
    return tuple(found)


def named_token(tokenizer: Any, token: int | None) -> str:
    """A token as messages name it, with its id."""
    if token is None:
        return "none"
    # Configurations name ids that no vocabulary has, -1 above all.
    name = tokenizer.convert_ids_to_tokens(token) if 0 <= token < len(tokenizer) else None
    return f"{name or 'no token'} ({token})"
