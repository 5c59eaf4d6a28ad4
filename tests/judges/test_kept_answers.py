"""Answers that could not be judged, in a file that `ultrarm-eval judge` reads."""

import json
import shlex
from pathlib import Path

from ultrarm_eval.judges.kept_answers import keep_answers
from ultrarm_eval.sources.answers import read_answers, read_own_reference


def test_answers_are_read_again_as_they_were_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    answers = [
        "plain",
        "",
        json.dumps([{"role": "user", "content": "hi"}]),
        json.dumps({"role": "assistant", "content": "hi"}),
        "[{'role': 'user', 'content': 'hi'}]",
        '"[1]"',
        '[{"role": "user", "content": "hi"}] is a list of messages.',
    ]
    prompts, references = ["q", turns, None], ["no", answers[2], None]
    command = keep_answers(prompts, [answers, answers[:3], answers[2:4]], references)
    _, _, path, *options = shlex.split(command)
    assert options == ["--reference-field", "reference"]
    read = read_answers(Path(path))
    assert [one.text for one in read] == [*answers, *answers[:3], *answers[2:4]]
    assert [one.prompt for one in read] == ["q"] * 7 + [turns] * 3 + [None] * 2
    expected = ["no"] * 7 + [answers[2]] * 3 + [None] * 2
    assert [read_own_reference(one, "reference") for one in read] == expected
