"""The README's tables are those of the code."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("tables", ROOT / "scripts" / "make_readme_tables.py")
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)


def test_the_readme_is_as_the_script_writes_it():
    text = tables.README.read_text(encoding="utf-8")
    assert tables.renewed(text) == text, "run python scripts/make_readme_tables.py"


def test_every_judge_that_takes_a_checkpoint_is_in_the_table():
    from ultrarm_eval.plugins import registry

    named = {line.split("`")[1] for line in tables.judges_table().splitlines()[2:]}
    ours = {name for name in registry().judges if registry().is_ours(name)}
    assert named == ours - {"auto"}


def test_every_setting_that_one_judge_has_is_said_with_its_values():
    table = tables.own_settings_table()
    for line in tables.judges_table().splitlines()[2:]:
        cells = line.split(" | ")
        for setting in filter(None, cells[-1].rstrip("| ").split(", ")):
            assert f"| {cells[0].lstrip('| ')} | `{setting.strip('`').split('=')[0]}` |" in table
    for aggregate in ("min", "product", "last", "mean"):
        assert f"`{aggregate}`" in table


def test_a_readme_without_a_place_for_a_table_is_refused():
    with pytest.raises(SystemExit, match="one table of judges"):
        tables.renewed("no tables here")
