import json
import re
import unicodedata

import datasets
import pytest

from tests.compare.written_runs import sample, write_run
from tests.conftest import LengthJudge, raw_row, write_jsonl
from ultrarm_eval import load_documents, load_judge
from ultrarm_eval.cli import main

SCORED = {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 8, "score_rejected": 5}
MESSAGES = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]
FOUR = raw_row("What is blue?", (("the sky", 5), ("grass", 2), ("the sea", 5), ("mud", 1)))


def shown(capsys, *arguments, status=0):
    assert main(["data", "show", *map(str, arguments)]) == status
    out, err = capsys.readouterr()
    return err if status else out


def as_json(capsys, *arguments):
    return json.loads(shown(capsys, *arguments, "--format", "json"))


@pytest.fixture
def four(tmp_path):
    row = json.loads(json.dumps(FOUR))
    row["completions"][1]["critique"] = "Grass is green."
    row["completions"][1]["annotations"]["honesty"]["Rationale"] = "It claims what is false."
    row["completions"][3]["annotations"]["honesty"]["Rating"] = "N/A"
    return write_jsonl(tmp_path / "d.jsonl", [row, raw_row("r", source="flan_v2_cot"), raw_row()])


class TestText:
    def test_a_row_is_shown_as_a_person_reads_it(self, four, capsys):
        said = shown(capsys, four, "--row", 0)
        assert f"{four}: 3 rows, schema 'ultrafeedback'\n" in said
        assert "columns: source, instruction, models, completions\n" in said
        assert "=== row 0 (line 1), source sharegpt\n" in said
        assert "prompt, user:\n  | What is blue?\n" in said
        assert "completion 1, by model-1:\n  | grass\n" in said
        assert "completion 1, critique:\n  | Grass is green.\n" in said
        assert "completion 1, rationale, honesty:\n  | It claims what is false.\n" in said
        table = [line.split() for line in said.split("\n") if re.match(r" +\d  model-", line)]
        assert table == [
            ["0", "model-0", "5", "1", "5", "5", "5", "5", "5"],
            ["1", "model-1", "2", "3", "2", "2", "2", "2", "5"],
            ["2", "model-2", "5", "1", "5", "5", "5", "5", "5"],
            ["3", "model-3", "1", "4", "1", "-", "1", "1", "5"],
        ]
        assert "5 of 6 pairs count (preference fine_grained)\n" in said
        assert "  0 over 1, by 3\n" in said
        assert "  0 and 2 do not count: equal ratings\n" in said
        assert "counts: ratings_not_applicable 1, pairs_left_out_equal_ratings 1," in said

    def test_without_a_choice_the_first_rows_are_shown_and_how_many_more_there_are(
        self, four, capsys
    ):
        said = shown(capsys, four, "--limit", 2)
        assert re.findall(r"=== row (\d)", said) == ["0", "1"]
        assert "Showing 2 of 3 rows; use --limit N" in said
        assert "are not" not in shown(capsys, four)

    def test_the_first_rows_of_a_source(self, four, capsys):
        said = shown(capsys, four, "--source", "flan")
        assert re.findall(r"=== row (\d)", said) == ["1"]
        said = shown(capsys, four, "--source", "sharegpt", "--limit", 1)
        assert "Showing 1 of 2 rows of source 'sharegpt'; use" in said

    def test_long_texts_are_cut_and_say_so(self, tmp_path, capsys):
        path = write_jsonl(
            tmp_path / "d.jsonl", [{**SCORED, "chosen": "x" * 3000, "note": "y" * 500}]
        )
        said = shown(capsys, path)
        assert "x" * 1000 in said
        assert "x" * 1001 not in said
        assert "(2,000 of 3,000 characters not shown; --full shows them)" in said
        assert "(500 characters; --full shows them)" in said
        full = shown(capsys, path, "--full")
        assert "x" * 3000 in full
        assert "y" * 500 in full
        assert "--full" not in full

    def test_no_text_of_the_data_acts_on_the_terminal(self, tmp_path, capsys):
        evil = "\x1b[2J\r\x07\x9b31m\u202e\u2066\x00end"
        row = raw_row(evil, ((evil, 5), ("b", 1)), source=evil, **{evil: evil})
        row["completions"][0] |= {"model": evil, "critique": evil}
        chat = [{"role": evil, "content": evil}]
        rows = [row, raw_row(instruction=3, **{evil: evil}), raw_row(evil)]
        path = write_jsonl(tmp_path / "d.jsonl", rows)
        pairs = write_jsonl(tmp_path / "p.jsonl", [{**SCORED, "prompt": chat, "chosen": evil}])
        for arguments in ([path], [path, "--full"], [pairs], [path, "--source", evil]):
            said = shown(capsys, *arguments)
            assert "end" in said
            kinds = {unicodedata.category(c) for c in said.replace("\n", "")}
            assert not kinds & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        said = shown(capsys, path, "--source", "none" + evil, status=2)
        assert "\x1b" not in said

    def test_no_text_passes_for_a_line_of_ours(self, tmp_path, capsys):
        path = write_jsonl(
            tmp_path / "d.jsonl", [{**SCORED, "chosen": "a\n=== row 7\n6 of 6 pairs"}]
        )
        said = shown(capsys, path)
        assert "  | === row 7\n  | 6 of 6 pairs\n" in said
        assert "\n=== row 7" not in said

    def test_a_row_that_is_left_out_is_shown_with_the_reason(self, tmp_path, capsys):
        path = write_jsonl(tmp_path / "d.jsonl", [{**SCORED, "rejected": "a"}, {"chosen": "x"}])
        said = shown(capsys, path, "--row", 0)
        reason = "the two answers are identical (pairs_left_out_identical_answers)"
        assert f"EXCLUDED: {reason}: the chosen and the rejected answer are" in said
        assert "  chosen: a\n  rejected: a\n" in said
        said = shown(capsys, path, "--row", 1)
        assert "CANNOT BE READ: " in said
        assert "field 'rejected' is missing" in said

    def test_a_terminal_without_the_characters_gets_escapes(self, tmp_path, capsys, monkeypatch):
        import io
        import sys

        path = write_jsonl(tmp_path / "d.jsonl", [{**SCORED, "chosen": "größer"}])
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
        assert main(["data", "show", str(path)]) == 0
        assert b"  | gr\\u00f6\\u00dfer\n" in written.getvalue()


class TestJson:
    def test_names_are_stable(self, four, capsys):
        found = as_json(capsys, four, "--row", 0)
        assert list(found) == [
            "data", "schema", "rows", "columns", "judge", "total", "more", "remarks", "documents",
        ]  # fmt: skip
        (document,) = found["documents"]
        assert list(document) == [
            "row", "line", "source", "preference", "prompt", "completions", "pairs",
            "pairs_left_out", "left_out", "why", "error", "counts", "fields",
        ]  # fmt: skip
        assert document["completions"][1] == {
            "completion": 1,
            "text": "grass",
            "length": 5,
            "model": "model-1",
            "rating": 2.0,
            "rank_by_rating": 3,
            "ratings": {
                "instruction_following": 2.0,
                "honesty": 2.0,
                "truthfulness": 2.0,
                "helpfulness": 2.0,
                "overall": 5.0,
                "fine_grained": 2.0,
            },
            "left_out": None,
            "reward": None,
            "rank": None,
            "critique": "Grass is green.",
            "principle": None,
            "rationales": {"honesty": "It claims what is false."},
        }
        assert document["pairs"][0] == {
            "chosen": 0,
            "rejected": 1,
            "gap": 3.0,
            "identical_answers": False,
            "margin": None,
            "judged": None,
        }
        assert document["pairs_left_out"] == [{"completions": [0, 2], "reason": "equal_ratings"}]
        assert document["prompt"] == [{"role": "user", "content": "What is blue?"}]
        assert (document["row"], document["line"], document["left_out"]) == (0, 1, [])

    def test_texts_are_whole_and_the_output_is_ascii(self, tmp_path, capsys):
        path = write_jsonl(tmp_path / "d.jsonl", [{**SCORED, "chosen": "\x9b\u202e" * 1000}])
        written = shown(capsys, path, "--format", "json")
        assert written.isascii()
        assert json.loads(written)["documents"][0]["completions"][0]["length"] == 2000

    def test_values_that_json_does_not_have_become_texts(self, tmp_path, capsys):
        path = tmp_path / "d.jsonl"
        path.write_text('{"chosen": "a", "rejected": "b", "x": NaN, "y": 1e999}\n')
        written = shown(capsys, path, "--format", "json")
        assert "NaN" not in written
        assert json.loads(written)["documents"][0]["fields"] == {"x": "nan", "y": "inf"}


@pytest.mark.product
@pytest.mark.parametrize(
    ("row", "prompt", "texts"),
    [
        (SCORED, ["p"], ["a", "b"]),
        ({"chosen": "a", "rejected": "b"}, [], ["a", "b"]),
        ({"prompt": "p", "chosen": "a", "rejected": "b", "chosen-rating": 5, "rejected-rating": 2}, ["p"], ["a", "b"]),
        (
            {
                "chosen": [*MESSAGES, {"role": "assistant", "content": "a"}],
                "rejected": [*MESSAGES, {"role": "assistant", "content": "b"}],
            },
            ["be kind", "hello"],
            ["a", "b"],
        ),
        (FOUR, ["What is blue?"], ["the sky", "grass", "the sea", "mud"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "folder"])
def test_every_schema_and_form_of_file_is_shown(tmp_path, capsys, row, prompt, texts, form):
    path = tmp_path / f"d.{form}"
    if form == "jsonl":
        write_jsonl(path, [row])
    elif form == "json":
        path.write_text(json.dumps([row]))
    elif form == "parquet":
        datasets.Dataset.from_list([row]).to_parquet(str(path))
    else:
        path = tmp_path / "folder"
        datasets.Dataset.from_list([row]).save_to_disk(str(path))
    (document,) = as_json(capsys, path)["documents"]
    assert [turn["content"] for turn in document["prompt"]] == prompt
    assert [completion["text"] for completion in document["completions"]] == texts
    assert document["pairs"]
    text = shown(capsys, path)
    assert all(f"  | {one}\n" in text for one in (*prompt, *texts))


class TestJudge:
    @pytest.mark.few(1)
    @pytest.mark.parametrize(
        "named",
        [
            ["--judge", "demo"],
            ["--pretrained", "demo"],
            ["--judge", "ultrarm", "--pretrained", "demo"],
            ["--kind", "auto", "--pretrained", "demo"],
        ],
    )
    def test_its_rewards_and_ranks_stand_beside_the_ratings(self, four, capsys, named):
        found = as_json(capsys, four, "--row", 0, *named, "--device", "cpu")
        (document,) = found["documents"]
        texts = [completion["text"] for completion in document["completions"]]
        rewards = load_judge("demo", device="cpu").score(["What is blue?"] * 4, texts)
        given = [completion["reward"] for completion in document["completions"]]
        assert given == pytest.approx(rewards, abs=1e-5)
        order = sorted(given, reverse=True)
        assert [c["rank"] for c in document["completions"]] == [1 + order.index(r) for r in given]
        for pair in document["pairs"]:
            margin = given[pair["chosen"]] - given[pair["rejected"]]
            assert pair["margin"] == margin
            assert pair["judged"] == ("right" if margin > 0 else "wrong")
        assert found["judge"]["pretrained"] == "demo"
        assert found["judge"]["template"] == "ultrarm"

    def test_it_is_shown_in_text(self, four, capsys):
        said = shown(capsys, four, "--row", 0, "--pretrained", "demo", "--template", "raw")
        assert "judge: ultrarm, pretrained demo, template raw\n" in said
        assert re.search(r"reward +rank by reward\n", said)
        assert re.search(r"  0 over 1, by 3; margin [-+]\d+\.\d{4}, (right|wrong)\n", said)

    def test_a_judge_without_weights_is_named_by_its_name(self, four, capsys, third_party):
        third_party(LengthJudge)
        found = as_json(capsys, four, "--row", 0, "--judge", "length")
        rewards = [c["reward"] for c in found["documents"][0]["completions"]]
        assert rewards == [7.0, 5.0, 7.0, 3.0]
        assert found["judge"]["name"] == "LengthJudge"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--judge", "demo", "--pretrained", "other"], "Unknown judge 'demo'"),
            (["--judge", "ultrarm", "--kind", "eurus"], "name two judges"),
            (["--template", "raw"], "--template: this option needs a judge"),
            (["--judge-args", "beta=2"], "--judge-args: this option needs a judge"),
            (["--pretrained", "demo", "--disagree", "x"], "Leave the judge out"),
        ],
    )
    def test_what_contradicts_itself_is_refused(self, four, capsys, arguments, message):
        assert message in shown(capsys, four, *arguments, status=2)


class TestDisagree:
    @pytest.fixture
    def run(self, tmp_path):
        data = write_jsonl(
            tmp_path / "d.jsonl", [raw_row(p, (("aa", 5), ("b", 1))) for p in ("p", "q", "r")]
        )
        rewards = [[1.0, 2.0], [1.0, 0.0], [0.0, 5.0]]
        samples = [sample(d.row, d.to_json(), rewards[d.row]) for d in load_documents(data)]
        return data, write_run(tmp_path / "run", samples)

    def test_the_rows_are_shown_the_largest_wrong_margin_first(self, run, capsys):
        data, folder = run
        found = as_json(capsys, data, "--disagree", folder)
        assert [document["row"] for document in found["documents"]] == [2, 0]
        assert [d["pairs"][0]["margin"] for d in found["documents"]] == [-5.0, -1.0]
        assert [c["reward"] for c in found["documents"][0]["completions"]] == [0.0, 5.0]
        assert (found["total"], found["more"], found["judge"]) == (2, 0, {"name": "org/judge"})
        said = shown(capsys, data, "--disagree", folder, "--limit", 1)
        assert "3 rows of this data are in the samples; on 2 of them the judge" in said
        assert "0 over 1, by 4; margin -5.0000, wrong" in said
        assert "Showing 1 of 2 rows that the judge ranks differently than the ratings; use" in said

    def test_the_bundled_runs_samples_are_of_the_demo_data(self, capsys):
        from pathlib import Path

        run = Path(__file__).parents[2] / "results" / "demo" / "run"
        found = as_json(capsys, "demo", "--disagree", run)
        margins = [min(p["margin"] for p in d["pairs"]) for d in found["documents"]]
        assert margins == sorted(margins)
        assert len(margins) == 3
        assert margins[-1] < 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--disagree", "{tmp}/no"], "there is no such file or folder"),
            (["--disagree", "{run}", "--preference", "honesty"], "Leave --preference"),
            (["--disagree", "{run}", "--min-gap", "1"], "Leave --preference"),
        ],
    )
    def test_what_cannot_be_shown_is_refused(self, run, tmp_path, capsys, arguments, message):
        data, folder = run
        given = [one.format(tmp=tmp_path, run=folder) for one in arguments]
        assert message in shown(capsys, data, *given, status=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--row", "3"], "row 3: {path} has 3 rows, from 0 to 2"),
        (["--row", "-1"], "row -1: {path} has 3 rows"),
        (["--limit", "0"], "--limit 0: give a number of rows"),
        (["--source", "sharegtp"], "Did you mean 'sharegpt'"),
        (["--preference", "beauty"], "Unknown preference|unknown preference"),
        (["--split", "test"], "has no splits"),
    ],
)
def test_what_is_not_there_is_said(four, capsys, arguments, message):
    said = shown(capsys, four, *arguments, status=2)
    assert re.search(message.format(path=re.escape(str(four))), said)


@pytest.mark.parametrize("arguments", [["--row", "x"], ["--row", "1", "--source", "flan"]])
def test_arguments_that_mean_nothing_are_refused(four, arguments):
    with pytest.raises(SystemExit, match="2"):
        main(["data", "show", str(four), *arguments])


def test_the_row_alone_is_read(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row()] * 150)
    path.write_text(path.read_text() + "broken\n")
    assert "=== row 149 (line 150)" in shown(capsys, path, "--row", 149)
    assert "line 151" in shown(capsys, path, "--row", 150, status=2)
