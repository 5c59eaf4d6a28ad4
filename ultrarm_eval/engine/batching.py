"""Chooses how texts are batched."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ultrarm_eval.engine.kernels.choice import EAGER, PADDED_KERNELS, ROW_KERNELS
from ultrarm_eval.engine.plan import PADDED, SHARED
from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.setting import AUTO
from ultrarm_eval.settings import BATCHINGS

logger = logging.getLogger(__name__)

# transformers chooses their frequencies by the longest text of a batch.
_ROPES_OF_THE_BATCH = frozenset({"dynamic", "longrope", "su"})
# Dynamic ones scale only beyond the maximum number of positions.
_ROPES_OF_TWO_LENGTHS = frozenset({"longrope", "su"})


def resolve_batching(
    requested: str, config: Any, attention: str = AUTO, *, is_masked: bool = False
) -> tuple[str, bool]:
    """The batching for a model.

    Args:
        requested: `auto` or one of `ultrarm_eval.settings.BATCHINGS`.
        config: The model's configuration.
        attention: The requested attention implementation.
        is_masked: Whether a mask hides padding from bidirectional attention.

    Returns:
        The batching, `shared` for `auto`, and whether texts may be computed together at all.
        If they may not, a warning explains why.

    Raises:
        ConfigurationError: There is no such batching, or the attention does not support it.
    """
    if requested not in (AUTO, *BATCHINGS):
        raise unknown_choice("batching", requested, (AUTO, *BATCHINGS))
    obstacle = why_alone(config, is_masked=is_masked)
    if obstacle is None:
        if requested != AUTO:
            _require_serving(requested, attention)
            return requested, True
        if attention == EAGER:
            logger.warning(
                "attn_implementation=%s does not support rows without padding: texts are padded.",
                EAGER,
            )
            return PADDED, True
        logger.info("batching=%s: shared prefixes are computed once, without padding.", SHARED)
        return SHARED, True
    logger.warning("Texts are computed one at a time instead of in batches: %s.", obstacle)
    _require_serving(PADDED, attention)
    return PADDED, False


def _require_serving(batching: str, attention: str) -> None:
    serving: tuple[str, ...] = PADDED_KERNELS if batching == PADDED else tuple(ROW_KERNELS)
    if attention not in (AUTO, *serving):
        raise ConfigurationError(
            f"attn_implementation={attention} does not support batching={batching}. Use one of "
            f"{', '.join((AUTO, *serving))}, or another batching."
        )


def why_no_rows(config: Any, max_length: int) -> str | None:
    """Why texts cannot share a row or a prefix; None if they can."""
    window = getattr(config, "sliding_window", None)
    if window is not None and window < max_length and _slides(config):
        return (
            f"the model's attention window has {window} tokens, fewer than max_length={max_length}"
        )
    return None


def _slides(config: Any) -> bool:
    # Qwen configurations may name a window that is not used.
    if getattr(config, "use_sliding_window", True) is False:
        return False
    kinds = getattr(config, "layer_types", None)
    return kinds is None or any(kind != "full_attention" for kind in kinds)


def why_not_in_parts(config: Any, max_length: int) -> str | None:
    """Why a prefix is computed differently on its own than in the text; None if it is not."""
    for kind, rope in _ropes(config):
        if kind not in _ROPES_OF_TWO_LENGTHS:
            continue
        length = (
            rope.get("original_max_position_embeddings")
            or getattr(config, "original_max_position_embeddings", None)
            or config.max_position_embeddings
        )
        if length < max_length:
            return f"the model's rotary embedding ({kind}) differs for texts over {length} tokens"
    return None


def why_alone(config: Any, *, is_masked: bool = False) -> str | None:
    """Why a text's reward would depend on the other texts in its batch; None if it does not.

    Args:
        config: The model's configuration.
        is_masked: Whether a mask hides padding from bidirectional attention.
    """
    for kind, _ in _ropes(config):
        if kind in _ROPES_OF_THE_BATCH:
            return f"the model's rotary embedding ({kind}) depends on the longest text of a batch"
    if not is_masked and (
        getattr(config, "is_causal", True) is False
        or getattr(config, "use_bidirectional_attention", None) is True
    ):
        return "the model's attention is bidirectional and sees padding"
    return None


def _ropes(config: Any) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """The types of a model's rotary embeddings, and their parameters.

    Families with several types of layers, such as Gemma 3, have one for each.
    """
    for field in ("rope_parameters", "rope_scaling"):
        stated = getattr(config, field, None)
        if not isinstance(stated, Mapping):
            continue
        for rope in (stated, *stated.values()):
            if isinstance(rope, Mapping):
                yield rope.get("rope_type", rope.get("type")), rope
