"""Writes the README's tables of judges and settings from what is registered and declared.

python scripts/make_readme_tables.py            # writes README.md
python scripts/make_readme_tables.py --check    # exit status 1 where it is stale
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.plugins import registry
from ultrarm_eval.setting import settings_in
from ultrarm_eval.settings import CheckpointSettings, engine_settings_table, settings_table

README = Path(__file__).parent.parent / "README.md"


def judges_table() -> str:
    """The table of judges that come along, in the order in which they are registered."""
    rows = ["| judge | takes | reward | its own settings |", "|---|---|---|---|"]
    for name, judge in _own_judges():
        cells = (f"`{name}`", judge.takes(), judge.reads(), _settings(judge))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _own_judges() -> Iterator[tuple[str, type[CheckpointJudge]]]:
    plugins = registry()
    for name in plugins.judges:
        judge = plugins.judge(name)
        if plugins.is_ours(name) and isinstance(judge, type) and issubclass(judge, CheckpointJudge):
            yield name, judge


def _settings(judge: type[CheckpointJudge]) -> str:
    common = settings_in(CheckpointSettings)
    own = [one for name, one in settings_in(judge.settings_class).items() if name not in common]
    return ", ".join(
        f"`{one.name}`" if one.default is None else f"`{one.name}={one.default}`" for one in own
    )


def own_settings_table() -> str:
    """The table of the settings that only one judge has."""
    common = settings_in(CheckpointSettings)
    rows = ["| judge | setting | what it is |", "|---|---|---|"]
    for name, judge in _own_judges():
        for one in settings_in(judge.settings_class).values():
            if one.name not in common:
                unsaid = [choice for choice in one.choices if choice not in one.help]
                choices = (
                    f": {', '.join(f'`{choice}`' for choice in one.choices)}" if unsaid else ""
                )
                rows.append(f"| `{name}` | `{one.name}` | {one.help}{choices} |")
    return "\n".join(rows) + "\n"


def renewed(text: str) -> str:
    """The README's text with its tables as they are now."""
    tables = {
        "judges": judges_table(),
        "own settings": own_settings_table(),
        "settings": settings_table(),
        "engine settings": engine_settings_table(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(
                f"README.md is to have one table of {name}, between {begin.strip()} and {end}."
            )
        before, _, rest = text.partition(begin)
        text = before + begin + table + end + rest.partition(end)[2]
    return text


def main() -> int:
    """Writes or checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    is_check = parser.parse_args().check
    text = README.read_text(encoding="utf-8")
    new = renewed(text)
    if not is_check:
        README.write_text(new, encoding="utf-8")
    elif new != text:
        print("README.md is stale: run python scripts/make_readme_tables.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
