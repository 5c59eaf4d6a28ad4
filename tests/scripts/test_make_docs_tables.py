"""The tables and pages that are made from the code, and what is wrong with a page."""

import argparse
import dataclasses
import importlib
import re
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Every module that makes a table, and the script.
MODULES = "pages api commands errors judges markdown metadata settings tasks templates"


@pytest.fixture(scope="module")
def docs():
    """The modules of the tables by name, and `script`, which writes and checks."""
    scripts = str(ROOT / "scripts")
    sys.path.insert(0, scripts)
    try:
        found = {name: importlib.import_module(f"docs_tables.{name}") for name in MODULES.split()}
        found["script"] = importlib.import_module("make_docs_tables")
    finally:
        sys.path.remove(scripts)
    return argparse.Namespace(**found)


@pytest.fixture
def checkout(docs, tmp_path):
    """A folder with every table on a page, as the script writes them."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# A README without tables\n")
    regions = "".join(
        f"\nBefore {name}.\n\n<!-- table: {name} -->\n<!-- end of table -->\n"
        for name in docs.pages.TABLES
    )
    (tmp_path / "docs" / "page.md").write_text(f"# Page\n{regions}\nThe end.\n")
    assert docs.script.main([], tmp_path) == 0
    return tmp_path


@pytest.fixture
def changed(docs, monkeypatch):
    """Changes something that tables are made from, which are then made again."""

    def change(things, name, value):
        patch = monkeypatch.setitem if isinstance(things, dict) else monkeypatch.setattr
        patch(things, name, value)
        docs.pages.made.cache_clear()

    yield change
    docs.pages.made.cache_clear()


def rows(table):
    """The cells of a table's rows."""
    return [
        line.removeprefix("| ").removesuffix(" |").split(" | ") for line in table.splitlines()[2:]
    ]


def two_tables(text):
    """The rows of the two tables of tasks: what each reads, and how it is scored."""
    data, scores = (part for part in text.split("\n\n") if part.startswith("|"))
    return rows(data), rows(scores)


def names(table):
    """What the first cells of a table's rows name as code."""
    return [row[0].split("`")[1] for row in rows(table)]


def checked(docs, checkout, capsys):
    capsys.readouterr()
    return docs.script.main(["--check"], checkout), capsys.readouterr().err


def test_the_documentation_is_as_the_code_makes_it(docs, capsys):
    assert checked(docs, ROOT, capsys) == (0, "")


def test_what_was_written_is_not_stale_and_what_is_around_the_tables_stays(docs, checkout, capsys):
    assert checked(docs, checkout, capsys) == (0, "")
    page = (checkout / "docs" / "page.md").read_text()
    assert page.startswith("# Page\n\nBefore settings.\n\n<!-- table: settings -->\n| setting |")
    assert page.endswith("|\n<!-- end of table -->\n\nThe end.\n")


def test_a_removed_row_makes_its_page_and_table_stale_and_writing_brings_it_back(
    docs, checkout, capsys
):
    page = checkout / "docs" / "page.md"
    written = page.read_text()
    row = next(line for line in written.splitlines(keepends=True) if line.startswith("| `ties`"))
    page.write_text(written.replace(row, ""))
    status, told = checked(docs, checkout, capsys)
    assert (status, told) == (
        1,
        "docs/page.md is stale (metadata-pairs): run make docs-tables\n",
    )
    assert docs.script.main([], checkout) == 0
    assert page.read_text() == written


def test_a_new_metadata_key_makes_the_page_stale(docs, checkout, capsys, changed):
    keys = docs.metadata.KEYS
    key = dataclasses.replace(keys["category"], name="new_key")
    changed(keys, "new_key", key)
    assert checked(docs, checkout, capsys)[1].startswith("docs/page.md is stale (metadata-pairs):")


@pytest.mark.slow
def test_another_help_text_makes_the_page_of_commands_stale(docs, checkout, capsys, changed):
    changed(docs.commands._COMMANDS, "score", "another help text")
    assert checked(docs, checkout, capsys) == (
        1,
        "docs/cli.md is stale: run make docs-tables\n",
    )


def test_a_new_setting_makes_the_page_stale(docs, checkout, capsys, changed):
    from ultrarm_eval.judge_settings import NormalizeSettings
    from ultrarm_eval.setting import declared

    with_another = dataclasses.make_dataclass(
        "WithAnother",
        [("another", str, declared(str, help="what it is"))],
        bases=(NormalizeSettings,),
        frozen=True,
        kw_only=True,
    )
    judge = dict(docs.judges.own_judges())["openrlhf"]
    changed(judge, "settings_class", with_another)
    told = checked(docs, checkout, capsys)[1]
    assert told == "docs/page.md is stale (judges, judge-settings): run make docs-tables\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<!-- table: nothing -->\n<!-- end of table -->\n",
            "has a table 'nothing'; there are: set",
        ),
        ("<!-- table: tasks -->\n| a |\n", "docs/other.md: the table tasks is not closed"),
        (
            "<!-- table: tasks -->\n<!-- table: api -->\n<!-- end of table -->\n",
            "tasks is not closed",
        ),
        ("<!-- end of table -->\n", "without a table that it closes"),
    ],
)
def test_a_region_that_cannot_be_filled_is_an_error(docs, checkout, capsys, text, message):
    (checkout / "docs" / "other.md").write_text(text)
    status, told = checked(docs, checkout, capsys)
    assert status == 1
    assert message in told


def test_a_table_that_stands_on_no_page_is_an_error(docs, checkout, capsys):
    page = checkout / "docs" / "page.md"
    before, _, rest = page.read_text().partition("Before tasks.")
    page.write_text(before + rest[rest.index("Before errors.") :])
    status, told = checked(docs, checkout, capsys)
    assert (status, told) == (1, "No page has <!-- table: tasks -->.\n")


def test_a_page_of_commands_that_is_not_there_is_written(docs, checkout, capsys):
    (checkout / "docs" / "cli.md").unlink()
    assert checked(docs, checkout, capsys)[0] == 1
    assert docs.script.main([], checkout) == 0
    assert (checkout / "docs" / "cli.md").is_file()


def test_every_judge_that_takes_a_checkpoint_is_in_the_table(docs):
    from ultrarm_eval.plugins import registry

    ours = {name for name in registry().judges if registry().is_ours(name)}
    assert set(names(docs.judges.judges_table())) == ours - {"auto"}


def test_every_setting_that_one_judge_has_is_in_the_table_with_its_values(docs):
    table = docs.settings.judge_settings_table()
    for row in rows(docs.judges.judges_table()):
        for setting in filter(None, row[-1].split(", ")):
            assert f"| {row[0]} | `{setting.strip('`').split('=')[0]}` |" in table
    for aggregate in ("min", "product", "last", "mean"):
        assert aggregate in table


def test_every_template_is_in_the_table_with_what_it_writes(docs):
    from ultrarm_eval.text_format.template_lookup import TEMPLATE_NAMES

    table = docs.templates.templates_table()
    assert names(table) == [*TEMPLATE_NAMES, "FILE.jinja"]
    written = {row[0].strip("`"): row[2] for row in rows(table)}
    assert written["ultrarm"] == r"`Human: What is 2 + 2?\n\nAssistant: 4`"
    assert written["rewardbench"].endswith(r"Assistant: 4\n\n` and the EOS token")
    assert written["starling-34b"].startswith("<code>&lt;&#124;im_start&#124;&gt;user")


def test_a_template_without_an_origin_is_an_error(docs, monkeypatch):
    from ultrarm_eval.plugins import registry

    templates = registry().templates
    without = dataclasses.replace(templates["raw"].item, origin="")
    monkeypatch.setitem(templates, "raw", dataclasses.replace(templates["raw"], item=without))
    with pytest.raises(ValueError, match="'raw' needs `about` and `origin`"):
        docs.templates.templates_table()


def test_every_metadata_key_is_in_the_table_of_its_tasks(docs):
    pairs = names(docs.metadata.pairs_table())
    generations = names(docs.metadata.generations_table())
    assert pairs == [
        *("data", "data_revision", "preference", "ties", "min_gap", "shard"),
        *("split", "category"),
    ]
    assert generations == [
        *("judge", "judge_args", "reference", "n"),
        *("data", "data_revision", "preference", "shard"),
    ]
    assert set(pairs) | set(generations) == set(docs.metadata.KEYS)


def test_every_task_and_group_is_named_or_matched_by_one_row(docs):
    from ultrarm_eval.lm_eval_plugin.task_names import read_task_file

    data, scores = two_tables(docs.tasks.tasks_table())
    patterns = [name for row in data for name in row[0].split("`")[1::2]]
    files = [read_task_file(path) for path in (ROOT / "tasks").rglob("*.yaml")]
    assert len(files) > 50
    for file in files:
        name = file.get("group") or file["task"]
        assert any(fnmatch(name, pattern) for pattern in patterns), name
    scored = [name for row in scores for name in row[0].split("`")[1::2]]
    assert scored == [row[0].split("`")[1] for row in data]
    assert all(len(row) == 4 and all(row) for row in data)
    assert all(len(row) == 3 and all(row) for row in scores)


def test_a_task_takes_its_data_from_its_file_and_the_rest_from_its_card(docs):
    data, scores = two_tables(docs.tasks.tasks_table())
    hub = "[`THU-KEG/RM-Bench`](https://huggingface.co/datasets/THU-KEG/RM-Bench)"
    assert next(row for row in data if "`rm_bench`" in row[0]) == [
        "[`rm_bench`](../tasks/rm_bench/README.md)",
        f"{hub}, split `train`",
        "1,327 prompts, nine comparisons each",
        "ODC-BY",
    ]
    score = next(row for row in scores if row[0] == "`rm_bench`")
    assert score[1].startswith("`overall`: the plain mean of")


CARD = """\
---
cards:
  - tasks: one
    size: 3 pairs
    licence: not stated
    score: "`acc`"
    verified: nothing
---

# One
"""


@pytest.fixture
def task_folder(tmp_path):
    """A folder with one task and its card."""
    task = "task: one\ndataset_path: org/data\ntest_split: test\n"
    (tmp_path / "one.yaml").write_text(task)
    (tmp_path / "README.md").write_text(CARD)
    return tmp_path


def test_a_folder_of_tasks_with_cards_makes_a_table(docs, task_folder):
    (data,), (score,) = two_tables(docs.tasks.tasks_table(task_folder))
    hub = "[`org/data`](https://huggingface.co/datasets/org/data), split `test`"
    assert data == ["[`one`](../tasks/README.md)", hub, "3 pairs", "not stated"]
    assert score == ["`one`", "`acc`", "nothing"]


@pytest.mark.parametrize("field", ["size", "licence", "score", "verified"])
def test_a_card_without_a_field_is_an_error(docs, task_folder, field):
    readme = task_folder / "README.md"
    lines = [
        line for line in readme.read_text().splitlines(keepends=True) if f" {field}:" not in line
    ]
    readme.write_text("".join(lines))
    with pytest.raises(ValueError, match=rf"card of one: missing fields: \['{field}'\]"):
        docs.tasks.tasks_table(task_folder)


def test_a_task_without_a_card_and_a_card_without_a_task_are_errors(docs, task_folder):
    (task_folder / "two.yaml").write_text("task: two\ndataset_path: org/data\n")
    with pytest.raises(ValueError, match="The task two has 0 cards"):
        docs.tasks.tasks_table(task_folder)
    (task_folder / "two.yaml").unlink()
    readme = task_folder / "README.md"
    readme.write_text(readme.read_text().replace("tasks: one", "tasks: one, three_*"))
    with pytest.raises(ValueError, match=r"there is no task three_\*"):
        docs.tasks.tasks_table(task_folder)


def test_every_error_class_is_in_the_table_with_what_to_do(docs):
    import ultrarm_eval.sources.message_fields
    import ultrarm_eval.text_format.template_budget
    from ultrarm_eval.errors import UltrarmEvalError

    def below(base):
        for one in base.__subclasses__():
            yield one
            yield from below(one)

    table = docs.errors.errors_table()
    ours = {one.__name__ for one in below(UltrarmEvalError) if one.__module__.startswith("ultrarm")}
    assert ours <= set(names(table))
    # A class of two bases has one row.
    assert len(names(table)) == len(set(names(table)))
    # It derives from a class of inspect_ai's, too, which need not be installed.
    assert "RunRefusedError" in names(table)
    assert all(len(row) == 3 and all(row) for row in rows(table))
    assert ultrarm_eval.sources.message_fields.UnusableRowError.__name__ in names(table)


def test_an_error_without_a_fix_is_an_error(docs, tmp_path):
    (tmp_path / "errors.py").write_text(
        "class UltrarmEvalError(Exception):\n    pass\n\n\nclass OddError(UltrarmEvalError):\n"
        '    """Something is odd.\n\n    Cause:\n        Something.\n    """\n'
    )
    with pytest.raises(ValueError, match="OddError needs a section `Fix:`"):
        docs.errors.errors_table(tmp_path)


def test_every_public_name_and_module_is_in_the_table_with_its_stability(docs):
    import ultrarm_eval

    table = docs.api.api_table()
    shown = [name.partition("(")[0] for name in names(table)]
    public = ultrarm_eval.__all__
    assert shown[: len(public)] == public
    assert "| `load_judge(pretrained=None, *, judge=None, **settings)` |" in table
    modules = {row[0].split("`")[1]: row for row in rows(table)[len(public) :]}
    assert "`UltrarmEvalError`" in modules["ultrarm_eval.errors"][0]
    assert modules["ultrarm_eval.errors"][2] == "stable"
    assert modules["ultrarm_eval.checkpoints.heads"][2] == "provisional"
    assert set(modules) == set(re.findall(r"`(ultrarm_eval\.\w[\w.]*)`", ultrarm_eval.__doc__))


def test_modules_are_declared_in_the_docstring_of_the_package(docs):
    docstring = """Something.

    **Public API.** These:

    - `a.b`, `a.c`: what
      they have.
    - `a.d`: more.

    **Versions** change.

    - `a.x`: not one.

    **Provisional modules** may go:

    - `a.e`: heads.
    """
    assert [*docs.api.public_modules(docstring)] == [
        ("a.b", "what\n  they have.\n", "stable"),
        ("a.c", "what\n  they have.\n", "stable"),
        ("a.d", "more.", "stable"),
        ("a.e", "heads.", "provisional"),
    ]


def test_every_command_and_option_is_on_the_page_of_commands(docs):
    from ultrarm_eval.cli.main import _COMMANDS, _parser

    page = docs.commands.commands_page()

    def check(name, parser):
        below = docs.commands._subparsers(parser)
        if not below:
            section = page.partition(f"\n### ultrarm-eval {name}\n")[2].partition("\n##")[0]
            assert f"usage: ultrarm-eval {name}" in section
            for action in parser._actions:
                for spelling in {*action.option_strings} - {"-h", "--help"}:
                    where = section if f"`{spelling}" in section else page
                    assert f"`{spelling}" in where, (name, spelling)
        for each, one in below.items():
            check(f"{name} {each}", one)

    for name, parser in docs.commands._subparsers(_parser(list(_COMMANDS))).items():
        check(name, parser)


def test_an_option_is_described_with_its_value_default_and_choices(docs):
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE", help="where results_*.json go"
    )
    parser.add_argument(
        "--rounding", type=float, default=0.0, metavar="X", help="most (default: %(default)s)"
    )
    parser.add_argument(
        "--format", choices=["up", "down"], help="form (default: by the file's ending)"
    )
    parser.add_argument("--full", action="store_true", help="100 %% of a <text>")
    parser.add_argument("--odd")
    _, output, rounding, form, full, odd = parser._actions
    cells = docs.commands._cells
    assert cells(output) == ("`-o`, `--output FILE`", "required", "where `results_*.json` go")
    assert cells(rounding) == ("`--rounding X`", "`0.0`", "most")
    assert cells(form) == ("`--format FORMAT`", "by the file's ending", "form; one of `up`, `down`")
    assert cells(full) == ("`--full`", "", "100 % of a &lt;text>")
    with pytest.raises(ValueError, match="--odd has no help text"):
        cells(odd)


def test_a_command_in_no_group_is_an_error(docs, monkeypatch):
    monkeypatch.setitem(docs.commands._COMMANDS, "another", "a new command")
    with pytest.raises(ValueError, match="in one group of COMMAND_GROUPS"):
        docs.commands.commands_page()


@pytest.mark.parametrize(
    ("text", "written"),
    [("a\nb", r"`a\nb`"), ("<|end|>", "<code>&lt;&#124;end&#124;&gt;</code>"), ("x", "`x`")],
)
def test_code_in_a_table_has_neither_line_breaks_nor_bars(docs, text, written):
    assert docs.markdown.code(text) == written


def test_a_row_of_another_length_is_an_error(docs):
    assert docs.markdown.table(("a", "b"), [("1 | 2", "3\n4")]) == (
        "| a | b |\n|---|---|\n| 1 \\| 2 | 3 4 |\n"
    )
    with pytest.raises(ValueError, match="A row of 2 cells"):
        docs.markdown.table(("a", "b"), [("1",)])
