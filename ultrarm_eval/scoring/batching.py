"""The choice of how texts are batched."""

from __future__ import annotations

import logging
from typing import Any

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.scoring.plan import BATCHINGS, PADDED, SHARED

logger = logging.getLogger(__name__)

AUTO = "auto"
# transformers chooses their frequencies by the longest text of a batch.
_ROPES_OF_THE_BATCH = frozenset({"dynamic", "longrope", "su"})


def resolve_batching(requested: str, config: Any) -> tuple[str, bool]:
    """The batching for a model.

    Args:
        requested: `auto` or one of `ultrarm_eval.scoring.plan.BATCHINGS`.
        config: The model's configuration.

    Returns:
        The batching, `shared` for `auto`, and whether texts may be computed together at all.
        Where they may not, a warning says why.

    Raises:
        ConfigurationError: There is no such batching.
    """
    if requested not in (AUTO, *BATCHINGS):
        raise unknown_choice("batching", requested, (AUTO, *BATCHINGS))
    obstacle = why_alone(config)
    if obstacle is None:
        return (SHARED if requested == AUTO else requested), True
    logger.warning("Texts are computed one at a time and not batched: %s.", obstacle)
    return PADDED, False


def why_alone(config: Any) -> str | None:
    """Why a text's reward would depend on the texts beside it; None if it does not."""
    for field in ("rope_parameters", "rope_scaling"):
        rope = getattr(config, field, None) or {}
        kind = rope.get("rope_type", rope.get("type")) if isinstance(rope, dict) else None
        if kind in _ROPES_OF_THE_BATCH:
            return f"the model's rotary embedding ({kind}) depends on the longest text of a batch"
    if getattr(config, "is_causal", True) is False:
        return "the model's attention is bidirectional and sees padding"
    return None
