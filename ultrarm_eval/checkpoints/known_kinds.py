"""The types of checkpoints that registered judges support, and the type of a checkpoint."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import PluginError, UltrarmEvalError, first_line
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import AUTO

logger = logging.getLogger(__name__)


def architectures() -> dict[str, Architecture]:
    """The types of checkpoints that registered judges support, by judge.

    A judge of another package that cannot be imported is skipped with a warning.
    """
    return {
        name: architecture
        for name, judge in registered_judges()
        if isinstance(architecture := getattr(judge, "architecture", None), Architecture)
    }


def recognised(survey: Survey) -> dict[str, Architecture]:
    """The judges that recognize a checkpoint, with its type; only the most specific ones.

    A judge of another package that fails is skipped with a warning.

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
        _leave_out(judge, f"recognises() of its architecture failed: {first_line(error)}")
        return False


def registered_judges() -> Iterator[tuple[str, Any]]:
    """The registered judges by name; one that cannot be imported is skipped with a warning."""
    plugins = registry()
    for name in plugins.judges:
        try:
            yield name, plugins.judge(name)
        except PluginError as error:  # noqa: PERF203 - few
            _leave_out(name, error)


def _leave_out(judge: str, why: object) -> None:
    logger.warning("Skipping judge=%s for judge=%s: %s", judge, AUTO, why)
