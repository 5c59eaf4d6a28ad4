"""Which judges recognise a checkpoint, by its config.json and the names of its weights."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import PluginError, UltrarmEvalError, first_line
from ultrarm_eval.judges import AUTO_JUDGE
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import AUTO

logger = logging.getLogger(__name__)


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
    """The settings that name an adapter, of all that a user set."""
    return {name: settings.get(name) for name in ("peft", "peft_revision")}


def architectures() -> dict[str, Architecture]:
    """The kinds of checkpoint that registered judges take, by judge.

    A judge of another package that cannot be imported is left out, with a warning.
    """
    return {
        name: architecture
        for name, judge in _judges()
        if isinstance(architecture := getattr(judge, "architecture", None), Architecture)
    }


def chosen_by_setting(settings: Mapping[str, Any]) -> str | None:
    """The judge that a setting stands for (`CheckpointJudge.chosen_by`); None if none is set.

    Args:
        settings: What the user set.
    """
    given = {name for name, value in settings.items() if value not in (None, AUTO)}
    return next((name for name, one in _judges() if getattr(one, "chosen_by", None) in given), None)


def recognised(survey: Survey) -> dict[str, Architecture]:
    """The judges that recognise a checkpoint, with its kind; of those, the ones that know it best.

    A judge of another package that fails to say so is left out, with a warning.

    Args:
        survey: Its small files.
    """
    found = {name: one for name, one in architectures().items() if _recognises(name, one, survey)}
    return {name: one for name, one in found.items() if not one.is_general} or found


def _recognises(judge: str, architecture: Architecture, survey: Survey) -> bool:
    try:
        return architecture.recognises(survey)
    except UltrarmEvalError:
        raise
    except Exception as error:
        if registry().is_ours(judge):
            raise
        _leave_out(judge, f"recognises() of its architecture fails: {first_line(error)}")
        return False


def _judges() -> Iterator[tuple[str, Any]]:
    plugins = registry()
    for name in plugins.judges:
        try:
            yield name, plugins.judge(name)
        except PluginError as error:  # noqa: PERF203 - few
            _leave_out(name, error)


def _leave_out(judge: str, why: object) -> None:
    logger.warning("judge=%s is left out of judge=%s: %s", judge, AUTO_JUDGE, why)
