"""The table of judges that come with the package."""

from __future__ import annotations

from collections.abc import Iterator

from docs_tables.markdown import code, table
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings


def judges_table() -> str:
    """The judges, in the order in which they are registered."""
    return table(
        ("judge", "supports", "reward", "its own settings"),
        (
            (code(name), judge.takes(), judge.reads(), _settings(judge))
            for name, judge in own_judges()
        ),
    )


def own_judges() -> Iterator[tuple[str, type[CheckpointJudge]]]:
    """The judges of this package that read a checkpoint, by name."""
    plugins = registry()
    for name in plugins.judges:
        judge = plugins.judge(name)
        if plugins.is_ours(name) and isinstance(judge, type) and issubclass(judge, CheckpointJudge):
            yield name, judge


def _settings(judge: type[CheckpointJudge]) -> str:
    common = settings_in(CheckpointSettings)
    own = [one for name, one in settings_in(judge.settings_class).items() if name not in common]
    return ", ".join(
        code(one.name if one.default is None else f"{one.name}={one.default}") for one in own
    )
