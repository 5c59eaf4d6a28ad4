import json
import math
import re
import subprocess
import sys
import tracemalloc

import pytest

from tests.conftest import LengthJudge, raw_row, write_jsonl
from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval import io, load_judge
from ultrarm_eval.cli import main, score
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.preference_data import open_named_or_local

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


def test_both_rewards_and_their_margin_are_printed(file, checkpoint, expected, capsys):
    assert main(["score", file, "--pretrained", str(checkpoint)]) == 0
    lines = capsys.readouterr().out.splitlines()
    margins = [float(line.split(": ")[1]) for line in lines if line.startswith("Margin: ")]  # fmt: skip
    assert margins == pytest.approx([a - b for a, b in expected], abs=1e-5)
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


@pytest.mark.few(3)
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
            r"line 1: field 'chosen' neither repeats the end of 'prompt' nor continues it",
        ),
    ],
)
def test_rows_that_are_no_pairs_exit_with_2_and_say_where(
    row, message, checkpoint, tmp_path, capsys
):
    path = write_jsonl(tmp_path / "bad.jsonl", [row])
    assert main(["score", str(path), "--pretrained", str(checkpoint)]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error, re.DOTALL), error


CONTRADICTORY = {
    "prompt": "a?",
    "chosen": [{"role": "user", "content": "b?"}, {"role": "assistant", "content": "b"}],
    "rejected": [{"role": "user", "content": "a?"}, {"role": "assistant", "content": "c"}],
}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (CONTRADICTORY, "contradictory_prompt"),
        ({"chosen": "a", "rejected": "b", "prompt": "c", "tools": [{"name": "x"}]}, "with_tools"),
        ({"chosen": "a", "rejected": "b", "question": "c"}, "prompt_in_other_column"),
    ],
)
def test_rows_that_tasks_leave_out_are_left_out_and_counted(
    row, reason, checkpoint, expected, tmp_path, capsys
):
    path = write_jsonl(tmp_path / "d.jsonl", [ROWS[0], row, ROWS[1], row])
    command = ["score", str(path), "--pretrained", str(checkpoint), "--format", "jsonl"]
    assert main(command) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row["row"] for row in rows] == [0, 2]
    assert [row["reward_chosen"] for row in rows] == pytest.approx(
        [a for a, _ in expected], abs=1e-5
    )
    assert f"2 pairs excluded (pairs_left_out_{reason})" in printed.err
    assert "d.jsonl, line 2" in printed.err


def test_where_no_row_is_a_pair_the_reason_is_the_error(checkpoint, tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", [CONTRADICTORY] * 3)
    assert main(["score", str(path), "--pretrained", str(checkpoint)]) == 2
    error = capsys.readouterr().err
    assert (
        "no pair is left to score. 3 pairs excluded (pairs_left_out_contradictory_prompt)" in error
    )
    assert "d.jsonl, line 1" in error


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


def test_another_packages_judge_gets_only_the_settings_that_were_given(file, capsys, third_party):
    class WithWeights(LengthJudge):
        def __init__(self, pretrained):
            super().__init__()
            assert pretrained == "none"

    third_party(WithWeights)
    assert main(["score", file, "--pretrained", "none", "--judge", "length"]) == 0
    assert "Margin: 7.0" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--judge", "--kind"])
def test_a_judge_without_weights_needs_no_checkpoint(file, capsys, third_party, option):
    third_party(LengthJudge)
    assert main(["score", file, option, "length", "--judge-args", "factor=2"]) == 0
    assert "Margin: 14.0" in capsys.readouterr().out
    assert main(["score", file, option, "length", "--judge-args", "fcator=2"]) == 2
    assert "Did you mean 'factor'" in capsys.readouterr().err
    assert main(["score", file, option, "length", "--pretrained", "x"]) == 2
    assert "'pretrained'" in capsys.readouterr().err


class TestWhichJudge:
    def test_the_checkpoint_says_what_it_is(self, file, write_model, capsys):  # noqa: F811
        folder = str(write_model("AutoModelForSequenceClassification", "llama", num_labels=1))
        rewards = load_judge(folder, judge="sequence-classification").score(
            ["the question"], ["the answer"]
        )
        for options in (
            ["--pretrained", folder],
            ["--judge", folder],
            ["--judge", "auto", "--pretrained", folder],
            ["--judge", "sequence-classification", "--pretrained", folder],
            ["--kind", "sequence-classification", "--pretrained", folder],
            ["--kind", "sequence-classification", "--judge", folder],
            ["--judge", folder, "--judge-args", "judge=auto"],
        ):
            assert main(["score", file, *options, "--format", "jsonl"]) == 0
            found = json.loads(capsys.readouterr().out.splitlines()[0])
            assert found["reward_chosen"] == pytest.approx(rewards[0], abs=1e-5)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ([], "No judge is named. Give a checkpoint (--pretrained DIR)"),
            (["--judge", "auto"], "No judge is named"),
            (["--judge", "ultra", "--pretrained", "demo"], "Unknown judge 'ultra'. Did you mean"),
            (["--kind", "eurus", "--judge", "ultrarm", "--pretrained", "demo"], "name two judges"),
            (["--pretrained", "demo", "--judge-args", "pretrained=other"], "two checkpoints"),
            (["--pretrained", "demo", "--judge-args", "template"], "write NAME=VALUE"),
            (
                ["--pretrained", "demo", "--judge-args", "a=1", "--judge-args", "a=2"],
                "a is given twice",
            ),
            (
                ["--pretrained", "demo", "--dtype", "float32", "--judge-args", "dtype=float16"],
                "set the same setting",
            ),
            (["--kind", "likelihood"], "no default checkpoint"),
            (["--pretrained", "demo", "--kind", "nobody"], "Unknown judge 'nobody'"),
        ],
    )
    def test_what_names_no_judge_or_two_is_said(self, file, capsys, options, message):
        assert main(["score", file, *options]) == 2
        assert message in capsys.readouterr().err

    def test_settings_without_an_option_go_through(self, file, checkpoint, expected, capsys):
        options = ["--judge-args", "batching=packed", "--judge-args", "max_batch_tokens=64"]
        assert (
            main(["score", file, "--pretrained", str(checkpoint), *options, "--format", "jsonl"])
            == 0
        )
        first = json.loads(capsys.readouterr().out.splitlines()[0])
        assert first["reward_chosen"] == pytest.approx(expected[0][0], abs=1e-5)


class TestRewardsThatAreNone:
    @pytest.mark.product
    @pytest.mark.parametrize(
        ("reward", "place"),
        [(math.nan, (3, 0)), (math.inf, (3, 1)), (-math.inf, (0, 0)), (None, (5, 1))],
    )
    @pytest.mark.parametrize("form", ["text", "jsonl"])
    def test_file_row_and_answer_are_named_and_what_came_before_stays(
        self, tmp_path, capsys, third_party, reward, place, form
    ):
        rows = [{"chosen": f"chosen {i}", "rejected": f"rejected {i}"} for i in range(8)]
        row, side = place
        bad = list(rows[row].values())[side]
        path = write_jsonl(tmp_path / "pairs.jsonl", rows)

        class Failing(LengthJudge):
            def score(self, prompts, completions):
                return [reward if text == bad else float(len(text)) for text in completions]

        third_party(Failing)
        assert main(["score", str(path), "--judge", "length", "--format", form]) == 2
        out, error = capsys.readouterr()
        field = ("chosen", "rejected")[side]
        assert f"{path}, line {row + 1}, field '{field}': Judge 'length' (plugin" in error
        assert str(reward) in error
        assert len(out.splitlines()) == row * (1 if form == "jsonl" else 2)
        assert "nan" not in out.lower()

    def test_a_checkpoint_that_overflows_is_named_by_the_row(
        self, tmp_path, checkpoint, capsys, monkeypatch
    ):
        from ultrarm_eval.engine import torch_engine

        real, texts = torch_engine._score_batch, 0

        def fails_at_the_fifth(*given):
            nonlocal texts
            rewards = list(real(*given))
            texts += len(rewards)
            return rewards if texts < 5 else [math.nan] * len(rewards)

        monkeypatch.setattr(torch_engine, "_score_batch", fails_at_the_fifth)
        rows = [{"chosen": "a" * 3 * i, "rejected": "b " * i} for i in range(1, 6)]
        path = write_jsonl(tmp_path / "pairs.jsonl", rows)
        arguments = ["score", str(path), "--pretrained", str(checkpoint), "--batch-size", "auto"]
        assert main([*arguments, "--judge-args", "max_batch_tokens=1"]) == 2
        error = capsys.readouterr().err
        assert re.search(r"pairs\.jsonl, line \d, field '\w+': Its reward is nan; it starts", error)

    @pytest.mark.parametrize("form", ["text", "jsonl"])
    def test_an_answer_without_a_score_has_none_and_is_counted(
        self, file, capsys, monkeypatch, form
    ):
        from ultrarm_eval.judges.base import Judgement
        from ultrarm_eval.judges.ultrarm import UltraRMJudge

        def judgements(_, prompts, completions):
            for index, text in enumerate(completions):
                yield index, Judgement(None if "sky" in text else 7.0)

        monkeypatch.setattr(UltraRMJudge, "judgements", judgements)
        assert main(["score", file, "--pretrained", "demo", "--format", form]) == 0
        out, error = capsys.readouterr()
        assert (
            "1 of 4 answers got no readable score from the judge; their pairs have no margin"
            in error
        )
        assert "nan" not in out.lower()
        if form == "text":
            assert out.splitlines()[:2] == [
                "Pair 1: reward of chosen: 7.0, reward of rejected: no score",
                "Margin: no score",
            ]
        else:
            first = json.loads(out.splitlines()[0])
            assert (first["reward_rejected"], first["difference"]) == (None, None)


class TestOutputAndStore:
    def test_rows_go_to_a_file_as_they_come(self, file, tmp_path, checkpoint, capsys):
        path = tmp_path / "new" / "folder" / "rewards.jsonl"
        assert main(["score", file, "--pretrained", str(checkpoint), "-o", str(path)]) == 0
        assert [json.loads(line)["row"] for line in path.read_text().splitlines()] == [0, 1]
        assert capsys.readouterr().out == f"{path}\n"

    def test_what_cannot_be_written_is_said_before_anything_is_scored(
        self, file, tmp_path, third_party, capsys
    ):
        class Never(LengthJudge):
            def score(self, prompts, completions):
                pytest.fail("scored")

        third_party(Never)
        (tmp_path / "text").write_text("")
        for output in (tmp_path, tmp_path / "text" / "o.txt", file):
            assert main(["score", file, "--judge", "length", "--format", "text", "-o", str(output)]) == 2  # fmt: skip
            assert str(output) in capsys.readouterr().err
        assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == 2

    def test_an_output_that_is_there_stays_until_the_first_row(
        self, file, tmp_path, third_party, capsys
    ):
        class Broken(LengthJudge):
            def score(self, prompts, completions):
                raise RuntimeError("out of order")

        third_party(Broken)
        there, new = tmp_path / "there.txt", tmp_path / "new.txt"
        there.write_text("of yesterday")
        for path in (there, new):
            assert main(["score", file, "--judge", "length", "-o", str(path)]) == 2
            assert "score() failed: RuntimeError: out of order" in capsys.readouterr().err
        assert there.read_text() == "of yesterday"
        assert not new.exists()
        third_party(LengthJudge)
        assert main(["score", file, "--judge", "length", "-o", str(there)]) == 0
        assert there.read_text().startswith("Pair 1: ")

    def test_a_store_is_read_by_the_next_run_which_loads_no_weights(
        self, file, tmp_path, checkpoint, capsys, monkeypatch
    ):
        from ultrarm_eval.judges.reward_head import DecoderHead

        arguments = [
            "score",
            file,
            "--judge",
            str(checkpoint),
            "--score-store",
            str(tmp_path / "s"),
        ]
        assert main(arguments) == 0
        first = capsys.readouterr().out
        monkeypatch.setattr(DecoderHead, "runner", lambda *_: pytest.fail("loaded"))
        assert main(arguments) == 0
        out, error = capsys.readouterr()
        assert out == first
        assert "4 of 4 texts are already scored" in error

    @pytest.mark.parametrize("judge", ["checkpoint", "length"])
    def test_the_counts_of_all_portions_are_said_once(
        self, tmp_path, checkpoint, third_party, capsys, monkeypatch, judge
    ):
        monkeypatch.setattr("ultrarm_eval.cli.score._ROWS_AT_ONCE", 2)
        third_party(LengthJudge)
        rows = [{"chosen": f"answer {i}", "rejected": f"another {i}"} for i in range(6)]
        named = str(checkpoint) if judge == "checkpoint" else judge
        arguments = ["score", str(write_jsonl(tmp_path / "d.jsonl", rows)), "--judge", named]
        arguments += ["--score-store", str(tmp_path / "store")]
        for _ in range(2):
            assert main(arguments) == 0
        error = capsys.readouterr().err.splitlines()
        found = [line.split(": ", 1)[1] for line in error if "are already scored" in line]
        assert found == ["0 of 4 texts are already scored.", "4 of 4 texts are already scored."]
        first, second = [line for line in error if "Scored: " in line]
        assert "Scored: 12 texts requested" in first
        assert "from the score store" not in first
        assert "Scored: 12 texts requested, " in second
        assert "12 texts from the score store" in second

    def test_a_judge_without_a_store_of_its_own_gets_one(self, file, tmp_path, third_party, capsys):
        third_party(LengthJudge)
        arguments = ["score", file, "--judge", "length", "--score-store", str(tmp_path / "store")]
        asked = []
        for options in ([], [], ["--judge-args", "factor=2"]):
            LengthJudge.asked.clear()
            assert main([*arguments, *options]) == 0
            asked.append(len(LengthJudge.asked))
            assert "Margin: " in capsys.readouterr().out
        assert asked == [4, 0, 4]

    def test_what_was_sound_is_in_the_store_when_a_judge_fails(self, tmp_path, third_party, capsys):
        rows = [{"chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(40)]
        path = write_jsonl(tmp_path / "pairs.jsonl", rows)

        class Failing(LengthJudge):
            def score(self, prompts, completions):
                return [math.nan if text == "bad 20" else 1.0 for text in completions]

        arguments = ["score", str(path), "--judge", "length", "--score-store", str(tmp_path / "s")]
        third_party(Failing)
        assert main(arguments) == 2
        assert "line 21, field 'rejected'" in capsys.readouterr().err
        third_party(LengthJudge)
        LengthJudge.asked.clear()
        assert main(arguments) == 0
        # Of the 64 that were asked for, all but one were stored.
        assert len(LengthJudge.asked) == 80 - 64 + 1


KILLED = """
import os, signal, sys
from ultrarm_eval.cli import main
from ultrarm_eval.engine import torch_engine
real, stop, computed = torch_engine._score_batch, int(sys.argv[1]), 0

def counting(model, texts, batch):
    global computed
    if computed == stop:
        os.kill(os.getpid(), signal.SIGKILL)
    computed += len(batch.texts)
    return real(model, texts, batch)

torch_engine._score_batch = counting
status = main(sys.argv[2:])
print(f"computed {computed}", file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize("command", [pytest.param("score", marks=pytest.mark.campaign), "judge"])
def test_a_killed_run_that_is_started_again_computes_only_the_rest(tmp_path, checkpoint, command):
    answers = [f"{word} answer {number}" for number in range(5) for word in ("the", "a")]
    rows = (
        [{"chosen": a, "rejected": b} for a, b in zip(answers[::2], answers[1::2], strict=True)]
        if command == "score"
        else [{"prompt": None, "completion": text} for text in answers]
    )
    data = write_jsonl(tmp_path / "data.jsonl", rows)

    def run(stop, *options):
        arguments = [command, str(data), "--pretrained", str(checkpoint), "--device", "cpu"]
        arguments += ["--judge-args", "max_batch_tokens=1", *options]
        return subprocess.run(
            [sys.executable, "-c", KILLED, str(stop), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    store = ["--score-store", str(tmp_path / "store.sqlite")]
    assert run(6, *store).returncode == -9
    again = run(-1, *store)
    assert again.returncode == 0, again.stderr
    assert "6 of 10 texts are already scored" in again.stderr
    assert "computed 4\n" in again.stderr
    assert again.stdout == run(-1).stdout


@pytest.fixture
def parsed(monkeypatch):
    """The texts that were parsed, in their order."""
    texts = []
    parse = io.parse_json
    monkeypatch.setattr(
        io, "parse_json", lambda text, *of, **how: texts.append(text) or parse(text, *of, **how)
    )
    return texts


def test_each_row_is_parsed_once(tmp_path, third_party, parsed, capsys):
    third_party(LengthJudge)
    rows = [{"prompt": f"p{i}", "chosen": f"good {i}", "rejected": "bad"} for i in range(130)]
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    assert main(["score", str(data), "--judge", "length"]) == 0
    lines = [text for text in parsed if b"chosen" in text]
    assert len(lines) == len(set(lines)) == 130
    assert capsys.readouterr().out.count("Margin") == 130


def test_pairs_that_do_not_fit_into_memory_are_read_again(
    tmp_path, third_party, parsed, capsys, monkeypatch
):
    third_party(LengthJudge)
    rows = [{"prompt": "p", "chosen": "good", "rejected": "bad"}] * 9
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    main(["score", str(data), "--judge", "length"])
    whole = capsys.readouterr().out
    parsed.clear()
    monkeypatch.setattr(score, "_bytes", lambda pair: 8)
    monkeypatch.setattr(score, "_MOST_BYTES", 8 * 5 + 3)
    main(["score", str(data), "--judge", "length"])
    assert capsys.readouterr().out == whole
    # Looked at once, checked and scored: four are read for each.
    assert sum(b"chosen" in text for text in parsed) == 9 + 2 * 4


@pytest.mark.few(1)
@pytest.mark.parametrize("text", ["a", "\N{GRINNING FACE}" * 100])
def test_pairs_take_no_more_memory_than_is_counted(tmp_path, monkeypatch, text):
    rows = [{"prompt": text, "chosen": f"{text}{i}", "rejected": text} for i in range(1000)]
    data = write_jsonl(tmp_path / "pairs.jsonl", rows)
    opened = open_named_or_local(str(data), "test", registry().sources())
    counted = []
    count = score._bytes
    monkeypatch.setattr(score, "_bytes", lambda pair: counted.append(count(pair)) or counted[-1])
    tracemalloc.start()
    pairs = score._Pairs(opened)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(list(pairs)) == len(rows)
    assert 0.7 * sum(counted) < taken < 1.2 * sum(counted)
