import json

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import load_judge
from ultrarm_eval.cli import main

ROWS = [
    {"prompt": "the question", "chosen": "the answer", "rejected": "sky"},
    {"chosen": "bare text", "rejected": "other text"},
]


@pytest.fixture
def file(tmp_path):
    return str(write_jsonl(tmp_path / "pairs.jsonl", ROWS))


@pytest.fixture(scope="module")
def expected(checkpoint):
    with_prompt = load_judge(str(checkpoint)).score(["the question"] * 2, ["the answer", "sky"])
    bare = load_judge(str(checkpoint), template="raw").score(
        [None] * 2, ["bare text", "other text"]
    )
    return with_prompt, bare


def test_both_rewards_and_their_difference_are_printed(file, checkpoint, expected, capsys):
    assert main(["score", file, "--pretrained", str(checkpoint)]) == 0
    lines = capsys.readouterr().out.splitlines()
    differences = [float(line.split(": ")[1]) for line in lines if line.startswith("Difference in rewards: ")]  # fmt: skip
    assert differences == pytest.approx([a - b for a, b in expected], abs=1e-5)
    assert lines[0].startswith("Pair 1: reward of chosen: ")


def test_jsonl_is_for_machines(file, checkpoint, expected, capsys):
    main(["score", file, "--pretrained", str(checkpoint), "--format", "jsonl"])
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["row"] for row in rows] == [0, 1]
    for row, (chosen, rejected) in zip(rows, expected, strict=True):
        assert row["reward_chosen"] == pytest.approx(chosen, abs=1e-5)
        assert row["reward_rejected"] == pytest.approx(rejected, abs=1e-5)
        assert row["difference"] == row["reward_chosen"] - row["reward_rejected"]


def test_rows_are_read_as_tasks_read_them_in_every_form(checkpoint, tmp_path, capsys):
    system, user = {"role": "system", "content": "word"}, {"role": "user", "content": "question"}
    good, bad = ({"role": "assistant", "content": text} for text in ("the answer", "sky"))
    rows = [
        {"prompt": [system, user], "chosen": [good], "rejected": [bad]},
        {"prompt": [system, user], "chosen": [user, good], "rejected": [user, bad]},
        {"prompt": [system], "chosen": [user, good], "rejected": [user, bad]},
        {"prompt": "question", "chosen": [system, user, good], "rejected": [system, user, bad]},
        {"system": "word", "prompt": "question", "chosen": "the answer", "rejected": bad},
        {"prompt": json.dumps([system, user]), "chosen": "the answer", "rejected": "sky"},
    ]
    path = write_jsonl(tmp_path / "forms.jsonl", rows)
    main(["score", str(path), "--pretrained", str(checkpoint), "--format", "jsonl"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected = load_judge(str(checkpoint)).score([[system, user]] * 2, ["the answer", "sky"])
    for line in lines:
        rewards = [line["reward_chosen"], line["reward_rejected"]]
        assert rewards == pytest.approx(expected, abs=1e-5)
    assert len(lines) == len(rows)


def test_the_template_applies_to_rows_with_a_prompt(file, checkpoint, expected, capsys):
    main(["score", file, "--pretrained", str(checkpoint), "--template", "rewardbench", "--format", "jsonl"])  # fmt: skip
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert abs(first["reward_chosen"] - expected[0][0]) > 0.01
    assert "reward_chosen" in second


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (raw_row(), r"field 'chosen' is missing.*lm_eval --tasks ultrafeedback_pairs"),
        ({"chosen": "a", "rejected": 3}, r"bad\.jsonl, line 1: field 'rejected' is 3"),
        ({"question": "a"}, "no known schema has the columns question"),
        ({"prompt": 5, "chosen": "a", "rejected": "b"}, r"line 1: field 'prompt': .* type int"),
        ({"prompt": ["x"], "chosen": "a", "rejected": "b"}, r"line 1: field 'prompt': Message 0"),
        (
            {
                "prompt": "q",
                "chosen": [
                    {"role": "user", "content": "p"},
                    {"role": "assistant", "content": "a"},
                ],
                "rejected": "b",
            },
            r"line 1: field 'chosen' neither repeats the end of 'prompt' nor goes on from it",
        ),
    ],
)
def test_rows_that_are_no_pairs_exit_with_2_and_say_where(
    row, message, checkpoint, tmp_path, capsys
):
    import re

    path = write_jsonl(tmp_path / "bad.jsonl", [row])
    assert main(["score", str(path), "--pretrained", str(checkpoint)]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error, re.DOTALL), error


def test_a_wrong_checkpoint_exits_with_2(file, tmp_path, capsys):
    assert main(["score", file, "--pretrained", str(tmp_path)]) == 2
    assert "there is no config.json" in capsys.readouterr().err


def test_a_bad_last_row_is_found_before_the_weights_are_loaded(
    checkpoint, tmp_path, capsys, monkeypatch
):
    from ultrarm_eval.judges.ultrarm import UltraRMJudge

    monkeypatch.setattr(UltraRMJudge, "load", lambda self: pytest.fail("weights were loaded"))
    path = write_jsonl(tmp_path / "bad.jsonl", [*ROWS, {"chosen": "a"}])
    assert main(["score", str(path), "--pretrained", str(checkpoint)]) == 2
    assert "line 3: field 'rejected' is missing" in capsys.readouterr().err


def test_another_packages_judge_gets_only_the_settings_that_were_given(file, capsys, monkeypatch):
    from ultrarm_eval import plugins
    from ultrarm_eval.hookspecs import hookimpl

    class Lengths:
        def __init__(self, pretrained):
            self.score = lambda prompts, completions: [float(len(text)) for text in completions]

    class Plugin:
        @hookimpl
        def register_judges(self, register):
            register("length", Lengths)

    manager = plugins.make_plugin_manager(load_entry_points=False)
    manager.register(Plugin(), name="third-party")
    registry = plugins.PluginRegistry(manager)
    monkeypatch.setattr("ultrarm_eval.judges.loading.registry", lambda: registry)
    assert main(["score", file, "--pretrained", "none", "--judge", "length"]) == 0
    assert "Difference in rewards: 7.0" in capsys.readouterr().out
