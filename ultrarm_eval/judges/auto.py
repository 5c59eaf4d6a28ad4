"""`judge=auto`: finds the judge for a checkpoint, and logs how it computes rewards."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.known_kinds import recognised
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.unread_models import why_unread
from ultrarm_eval.errors import CheckpointError, ConfigurationError
from ultrarm_eval.judges import AUTO_JUDGE, DEFAULT_CHECKPOINT, DEFAULT_JUDGE
from ultrarm_eval.judges.advice import open_for, unrecognised
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.loading import make_judge
from ultrarm_eval.judges.recognition import (
    adapter_in,
    chosen_by_setting,
    survey_of,
)

logger = logging.getLogger(__name__)


def auto_judge(
    pretrained: str = DEFAULT_CHECKPOINT, *, revision: str | None = None, **settings: Any
) -> Judge:
    """Makes the judge that supports a checkpoint.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Hub revision of the checkpoint.
        **settings: Settings of the judge that is found.

    Raises:
        CheckpointError: No judge supports it, or it cannot be reached.
        ConfigurationError: A setting that the judge does not have.
    """
    judge = judge_for(pretrained, revision, settings)
    made = make_judge(judge, {"pretrained": pretrained, "revision": revision, **settings})
    # A judge that supports several types finds the type from the checkpoint.
    told_by = getattr(made, "checkpoint", made)
    architecture: Architecture | None = getattr(told_by, "architecture", None)
    if architecture is not None:
        logger.info(
            "judge=%s: %s is %s (judge=%s); the reward is %s.",
            AUTO_JUDGE,
            pretrained,
            architecture.known_as,
            judge,
            architecture.reading,
        )
    return made


def judge_for(pretrained: str, revision: str | None, settings: Mapping[str, Any]) -> str:
    """The name of the judge for a checkpoint, from the user's settings.

    The checkpoint is not opened here: the judge opens it when it is made.

    Raises:
        CheckpointError: No judge recognizes it, or it cannot be reached.
    """
    named = chosen_by_setting(settings)
    return named or _one_recognised(survey_of(pretrained, revision, **adapter_in(settings)))[0]


def recognise(pretrained: str, revision: str | None = None, **adapter: str | None) -> str:
    """The name of the judge that supports a checkpoint; the checkpoint is opened to verify it.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Its hub revision.
        **adapter: `peft` and `peft_revision`, see `ultrarm_eval.checkpoints.survey`.

    Raises:
        CheckpointError: No judge supports it, or the checkpoint cannot be reached.
    """
    survey = survey_of(pretrained, revision, **adapter)
    judge, kind = _one_recognised(survey)
    open_for(survey, kind)
    return judge


def _one_recognised(survey: Survey) -> tuple[str, Architecture]:
    """The only judge that recognizes a checkpoint, and the checkpoint's type."""
    kinds = {} if why_unread(survey) else recognised(survey)
    if not kinds:
        raise CheckpointError(unrecognised(survey))
    if len(kinds) > 1:
        raise CheckpointError(
            f"{survey.name}: several judges recognize this checkpoint: {', '.join(kinds)}. Choose "
            "one with judge=NAME."
        )
    ((judge, kind),) = kinds.items()
    return judge, kind


def auto_if_readable(pretrained: str, revision: str | None) -> str:
    """`auto` if the checkpoint's config.json can be read, else the default judge.

    The default judge gives the best error for a checkpoint that cannot be reached.
    """
    try:
        survey_of(pretrained, revision)
    except (CheckpointError, ConfigurationError):
        return DEFAULT_JUDGE
    return AUTO_JUDGE
