"""The language head of a decoder: a row for each token of the vocabulary."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError

_HEAD, _BIAS, _EMBEDDING = "lm_head.weight", "lm_head.bias", "model.embed_tokens.weight"


def language_head(survey: Survey) -> str:
    """The stored weight that is the language head: the embedding where the two are tied.

    Args:
        survey: The checkpoint's small files.
    """
    is_tied = survey.values.get("tie_word_embeddings") and _HEAD not in survey.keys
    return _EMBEDDING if is_tied else _HEAD


def require_language_head(survey: Survey, config: Any) -> None:
    """Refuses a language head that does not fit the configuration.

    Args:
        survey: The checkpoint's small files.
        config: The configuration of the body.

    Raises:
        CheckpointError: It has another shape, or a bias.
    """
    if _BIAS in survey.keys:
        raise CheckpointError(
            f"{survey.name}: its language head has a bias, {_BIAS!r}, but transformers' "
            f"{config.model_type} model has none, so logits would be wrong. Check that "
            "config.json belongs to these weights."
        )
    key = language_head(survey)
    shape, wanted = survey.shape(key), (config.vocab_size, config.hidden_size)
    if shape is not None and tuple(shape) != wanted:
        raise CheckpointError(
            f"{survey.name}: its weight {key!r} has the shape {list(shape)}, but its config.json "
            f"describes {list(wanted)}: they do not belong together."
        )
