"""A text that a template refuses late: every command says the file and the line."""

import json

import pytest

from ultrarm_eval.cli.main import main

TEMPLATE = (
    "{% if 'green' in completion %}{{ raise_exception('no green') }}{% endif %}"
    "{{ prompt[0].content }} {{ completion }}"
)


def pairs(last):
    rows = [{"prompt": "q", "chosen": f"answer {i}", "rejected": f"word {i}"} for i in range(5)]
    return [*rows, last]


@pytest.mark.parametrize(
    ("command", "options", "place"),
    [
        (["score"], ["--judge"], "line 6, field 'rejected'"),
        (["score"], ["--score-store", "STORE", "--judge"], "line 6, field 'rejected'"),
        (["judge"], ["--judge"], "line 6"),
        (["plan"], ["--pretrained"], "line 6"),
        (["verify"], ["--data", "--pretrained"], "line 6"),
        (["data", "show"], ["--row", "5", "--judge"], "line 6"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_names_the_row_of_a_text_that_its_template_refuses(
    command, options, place, checkpoint, tmp_path, capsys
):
    (tmp_path / "t.jinja").write_text(TEMPLATE)
    rows = pairs({"prompt": "q", "chosen": "blue", "rejected": "green"})
    if command == ["judge"]:
        rows = [{"prompt": "q", "completion": row["rejected"]} for row in rows]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = [str(tmp_path / "s.sqlite") if each == "STORE" else each for each in options]
    named = [str(file), *options] if "--data" not in options else ["--data", str(file), options[-1]]
    arguments = [*command, *named, str(checkpoint), "--template", str(tmp_path / "t.jinja")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"{file}, {place}: " in said
    assert "no green" in said
    assert "Completion" not in said


def test_data_show_takes_the_way_out_that_its_message_names(checkpoint, tmp_path, capsys):
    (tmp_path / "t.jinja").write_text(
        "{% if prompt[0].role == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "{{ prompt[0].content }} {{ completion }}"
    )
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"system": "s", "prompt": "q", "chosen": "a", "rejected": "b"}))
    command = ["data", "show", str(file), "--pretrained", str(checkpoint)]
    command += ["--template", str(tmp_path / "t.jinja")]
    assert main(command) == 2
    assert "line 1: its turns are system, user" in capsys.readouterr().err
    assert main([*command, "--system", "fold"]) == 0
