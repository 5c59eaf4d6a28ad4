"""The choice of how texts are batched."""

from __future__ import annotations

import logging
from typing import Any

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.scoring.packed_model import why_not_packed
from ultrarm_eval.scoring.plan import BATCHINGS, PADDED, SHARED

logger = logging.getLogger(__name__)

AUTO = "auto"


def resolve_batching(requested: str, config: Any) -> str:
    """The batching for a model.

    Args:
        requested: `auto` or one of `ultrarm_eval.scoring.plan.BATCHINGS`.
        config: The model's configuration.

    Returns:
        `shared` for `auto`; `padded`, with a warning, where the model's attention cannot be run
        over packed rows.

    Raises:
        ConfigurationError: There is no such batching.
    """
    if requested not in (AUTO, *BATCHINGS):
        raise unknown_choice("batching", requested, (AUTO, *BATCHINGS))
    if requested == PADDED:
        return PADDED
    obstacle = why_not_packed(config)
    if obstacle is None:
        return SHARED if requested == AUTO else requested
    logger.warning("batching=padded and not %s: %s.", requested, obstacle)
    return PADDED
