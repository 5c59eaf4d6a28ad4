"""Finds the files of a named checkpoint, and the judge that a setting implies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrarm_eval.checkpoints.known_kinds import registered_judges
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.setting import AUTO


def survey_of(pretrained: str, revision: str | None = None, **adapter: str | None) -> Survey:
    """A checkpoint's small files, also the demo's.

    Args:
        pretrained: A folder, a hub id, or `demo`.
        revision: Its hub revision.
        **adapter: `peft` and `peft_revision`, see `ultrarm_eval.checkpoints.survey`.

    Raises:
        CheckpointError: See `ultrarm_eval.checkpoints.survey`.
    """
    source = str(demo_judge_path()) if pretrained == DEMO_NAME else pretrained
    return Survey(source, revision, **adapter)


def adapter_in(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The user's settings that name an adapter."""
    return {name: settings.get(name) for name in ("peft", "peft_revision")}


def chosen_by_setting(settings: Mapping[str, Any]) -> str | None:
    """The judge that a setting implies (`CheckpointJudge.chosen_by`); None if none is set.

    Args:
        settings: The user's settings.
    """
    given = {name for name, value in settings.items() if value not in (None, AUTO)}
    return next(
        (name for name, one in registered_judges() if getattr(one, "chosen_by", None) in given),
        None,
    )
