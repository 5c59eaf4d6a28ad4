import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import io
from ultrarm_eval.cli import main


def inspected(capsys, path, *options):
    status = main(["data", "inspect", str(path), "--format", "json", *options])
    return json.loads(capsys.readouterr().out), status


def rows_of_two_sources():
    shorter_wins = raw_row("p", (("aaaa", 1), ("bb", 5), ("cc", 3)), source="flan_v2_cot")
    false_ten = raw_row("q", (("longest", 2), ("x", 1), ("yy", 5)), source="sharegpt")
    false_ten["completions"][0]["overall_score"] = 10
    false_ten["completions"][1]["overall_score"] = 10
    return [shorter_wins, false_ten]


def test_sources_are_shown_with_their_pairs_and_lengths(tmp_path, capsys):
    found, status = inspected(capsys, write_jsonl(tmp_path / "d.jsonl", rows_of_two_sources()))
    assert status == 0
    assert found["usable"] == {
        "rows": 2,
        "completions": 6,
        "pairs": 6,
        "pairs_of_equal_length": 1,
        "documents": 2,
    }
    # Pairs of the first prompt: bb>cc (equal lengths), bb>aaaa and cc>aaaa (shorter wins).
    assert found["by_source"]["flan_v2_cot"] == {
        "rows": 1,
        "completions": 3,
        "prompts": 1,
        "pairs": 3,
        "acc_longest": pytest.approx(0.5 / 3),
        "mean_prompt_length": 1.0,
        "mean_completion_length": pytest.approx(8 / 3),
    }
    assert found["by_source"]["sharegpt"]["acc_longest"] == pytest.approx(2 / 3)


def test_every_preference_has_its_ratings_and_pairs(tmp_path, capsys):
    rows = rows_of_two_sources()
    rows[0]["completions"][0]["annotations"]["honesty"]["Rating"] = "N/A"
    found, _ = inspected(capsys, write_jsonl(tmp_path / "d.jsonl", rows))
    honesty = found["by_preference"]["honesty"]
    assert (honesty["rated"], honesty["pairs"], honesty["prompts"]) == (5, 4, 2)
    assert (honesty["lowest"], honesty["highest"]) == (1.0, 5.0)
    assert honesty["mean"] == pytest.approx((5 + 3 + 2 + 1 + 5) / 5)
    overall = found["by_preference"]["overall"]
    # Two false tens are left out, and the others all have the overall score 5.
    assert (overall["rated"], overall["pairs"]) == (4, 0)
    assert found["odd"]["overall_scores_false_tens"] == {
        "count": 2,
        "first": "line 2",
        "by_source": {"sharegpt": 2},
    }
    assert "2023-12-29" in found["advice"]["overall_scores_false_tens"]


def test_models_are_shown_with_their_mean_rating(tmp_path, capsys):
    found, _ = inspected(capsys, write_jsonl(tmp_path / "d.jsonl", rows_of_two_sources()))
    assert found["by_model"]["model-0"] == {
        "completions": 2,
        "mean_rating": 1.5,
        "mean_length": 5.5,
    }


def test_every_unreadable_row_is_named_and_the_rest_is_counted(tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    good = json.dumps(raw_row()).encode()
    path.write_bytes(b"\n".join([b"\xff", good, b'{"instruction": "x"}', good, good[:50]]))
    found, status = inspected(capsys, path)
    assert status == 1
    assert found["unreadable_rows"] == 3
    assert found["usable"]["documents"] == 2
    for error, message in zip(
        found["errors"],
        [
            "bad.jsonl, line 1: this is not UTF-8",
            "bad.jsonl, line 3: field 'completions' is missing",
            "bad.jsonl, line 5: this is not valid JSON",
        ],
        strict=True,
    ):
        assert message in error
    assert found["odd"]["rows_repeating_another"]["count"] == 1
    assert found["odd"]["rows_repeating_another"]["first"] == "line 4"


def test_of_many_unreadable_rows_the_first_ten_are_shown_and_all_are_counted(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(), *[{"instruction": "x"}] * 12])
    assert main(["data", "inspect", str(path)]) == 1
    out = capsys.readouterr().out
    assert "12 rows cannot be read" in out
    assert out.count("is missing") == 10
    assert "and 2 more" in out


def test_data_without_a_pair_are_shown_and_the_status_says_so(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(answers=(("a", 3), ("b", 3)))])
    assert main(["data", "inspect", str(path)]) == 1
    out = capsys.readouterr().out
    assert "0 prompts, 0 pairs" in out
    assert "a run would refuse this data" in out


def test_the_text_form_holds_what_the_json_form_does(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", rows_of_two_sources())
    assert main(["data", "inspect", str(path), "--preference", "overall"]) == 1
    out = capsys.readouterr().out
    for part in (
        "usable with preference overall: 0 prompts, 0 pairs",
        "by source (overall)",
        "flan_v2_cot",
        "instruction_following",
        "model-2",
        "completions_left_out_false_ten",
        "2023-12-29",
    ):
        assert part in out, part


def test_min_gap_counts_what_it_leaves_out(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", rows_of_two_sources())
    found, _ = inspected(capsys, path, "--min-gap", "3")
    # Gaps: 4, 2, 2 and 1, 3, 4.
    assert found["usable"]["pairs"] == 3
    assert found["odd"]["pairs_left_out_below_min_gap"]["count"] == 3


def test_pairs_have_no_gap_and_no_other_preference(tmp_path, capsys):
    path = write_jsonl(tmp_path / "d.jsonl", [{"prompt": "p", "chosen": "a", "rejected": "b"}])
    assert main(["data", "inspect", str(path), "--min-gap", "1"]) == 2
    assert "only chosen and rejected" in capsys.readouterr().err
    assert main(["data", "inspect", str(path), "--preference", "overall"]) == 2
    assert "Choose one of: score." in capsys.readouterr().err


def test_a_name_that_is_neither_file_nor_hub_id_is_an_error(capsys):
    assert main(["data", "inspect", "nothing-here"]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_hub_id_that_cannot_be_had_is_an_error(capsys):
    assert main(["data", "inspect", "nobody/nothing"]) == 2
    assert "cannot be downloaded from the hub" in capsys.readouterr().err


def test_the_demo_data_are_inspected_by_their_word(capsys):
    found, status = inspected(capsys, "demo")
    assert status == 0
    assert sum(source["prompts"] for source in found["by_source"].values()) == 200


@pytest.mark.slow
def test_the_real_pairs_are_inspected(real_pairs, capsys):
    found, status = inspected(capsys, real_pairs)
    assert status == 0
    assert found["usable"]["pairs"] == 886
    assert found["odd"]["pairs_left_out_equal_scores"]["count"] == 111
    rows = [json.loads(line) for line in real_pairs.read_text(encoding="utf-8").splitlines()]
    longer = same = 0
    for row in rows:
        chosen, rejected = row["chosen"][-1]["content"], row["rejected"][-1]["content"]
        if row["score_chosen"] > row["score_rejected"] and chosen != rejected:
            longer += len(chosen) > len(rejected)
            same += len(chosen) == len(rejected)
    assert found["by_preference"]["score"]["acc_longest"] == pytest.approx(
        (longer + same / 2) / 886
    )


def test_what_is_odd_is_shown_by_source_and_by_aspect(tmp_path, capsys):
    rows = [raw_row(f"p{i}", source="flan" if i else "sharegpt") for i in range(3)]
    for row in rows[1:]:
        row["completions"][0]["annotations"]["honesty"]["Rating"] = "N/A"
    rows[0]["completions"][0]["annotations"]["helpfulness"]["Rating"] = "N/A"
    path = write_jsonl(tmp_path / "d.jsonl", [*rows, raw_row(7, source="flan")])
    found, _ = inspected(capsys, path)
    assert found["odd"]["ratings_not_applicable"] == {
        "count": 3,
        "first": "line 1",
        "by_source": {"flan": 2, "sharegpt": 1},
        "by_aspect": {"helpfulness": 1, "honesty": 2},
    }
    # A row that is left out belongs to its source all the same.
    assert found["by_source"]["flan"]["rows"] == 3
    assert found["by_source"]["flan"]["prompts"] == 2
    main(["data", "inspect", str(path)])
    assert "helpfulness 1, honesty 2; flan 2, sharegpt 1" in capsys.readouterr().out


def test_names_that_are_no_text_are_counted(tmp_path, capsys):
    row = raw_row(source=["x"])
    row["completions"][1]["model"] = 7
    found, _ = inspected(capsys, write_jsonl(tmp_path / "d.jsonl", [row]))
    assert found["odd"]["sources_not_text"]["count"] == 1
    assert found["odd"]["models_not_text"]["count"] == 1
    assert list(found["by_source"]) == ["(none named)"]


def test_names_with_halves_of_surrogate_pairs_are_shown(tmp_path, capsys):
    row = raw_row(source="s\ud800")
    row["completions"][0]["model"] = "m\ud800"
    path = write_jsonl(tmp_path / "d.jsonl", [row])
    assert main(["data", "inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "s?" in out
    assert "m?" in out
    out.encode("utf-8")


def test_a_mistyped_path_is_not_looked_for_on_the_hub(capsys):
    assert main(["data", "inspect", "data/prefs.jsonl"]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_name_too_long_for_a_file_is_an_error(capsys):
    assert main(["data", "inspect", "x" * 400]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_a_folder_with_several_splits_is_asked_for_one(tmp_path, capsys):
    import datasets

    folder = str(tmp_path / "saved")
    splits = {name: datasets.Dataset.from_list([raw_row(name)]) for name in ("a", "b")}
    datasets.DatasetDict(splits).save_to_disk(folder)
    capsys.readouterr()
    assert main(["data", "inspect", folder]) == 2
    assert "Name one with --split." in capsys.readouterr().err
    assert inspected(capsys, folder, "--split", "b")[1] == 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_an_output_that_cannot_be_written_is_an_error():
    command = [sys.executable, "-m", "ultrarm_eval.cli", "data", "inspect", "demo"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert "the output cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_columns_that_change_the_conversation_are_named_and_those_nobody_reads(tmp_path, capsys):
    rows = [
        {"system": "x", "prompt": "q", "chosen": "a", "rejected": "b", "notes": 1, "tools": []},
        {"system": "", "prompt": "q", "chosen": "a", "rejected": "c", "tools": [{"name": "t"}]},
    ]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    assert main(["data", "inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "unused columns: notes\n" in shown
    for count, line in (("rows_with_system_column", 1), ("pairs_left_out_with_tools", 2)):
        assert re.search(rf"{count} +1  line {line}", shown)


def test_a_column_that_may_contain_the_prompt_and_is_not_read_is_named(tmp_path, capsys):
    sides = {"chosen": "a", "rejected": "b"}
    complete = {
        side: [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]
        for side, text in sides.items()
    }
    rows = [{"context": "c", **complete}, {"context": "c", **sides}]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    assert main(["data", "inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "unused columns: context\n" in shown
    assert re.search(r"pairs_left_out_prompt_in_other_column +1  line 2", shown)


@pytest.mark.parametrize(
    ("command", "shown"), [(["inspect"], 0), (["show", "--source", "flan", "--limit", "3"], 3)]
)
def test_each_row_is_parsed_once_and_those_that_are_shown_again(
    tmp_path, capsys, monkeypatch, command, shown
):
    rows = [raw_row(f"p{i}", (("a", 1), ("bb", 5)), source="flan") for i in range(120)]
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    parsed = []
    parse = io.parse_json
    monkeypatch.setattr(
        io, "parse_json", lambda text, *of, **how: parsed.append(text) or parse(text, *of, **how)
    )
    assert main(["data", command[0], str(data), *command[1:]]) == 0
    capsys.readouterr()
    lines = [text for text in parsed if b"completions" in text]
    assert len(lines) == 120 + shown
    assert len(set(lines)) == 120
