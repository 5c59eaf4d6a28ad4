import json

import pytest

from tests.compare.written_runs import choice, foreign, rated, sample, write_run
from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import load_documents
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.disagreement import find_disagreements
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.preference_data import open_any

ROWS = [
    raw_row("p", (("a", 5), ("b", 1), ("c", 3))),
    raw_row("left out", (("x", 2), ("y", 2))),
    raw_row("q", (("a", 5), ("b", 1))),
    raw_row("r", (("a", 5), ("b", 1))),
    raw_row("q", (("a", 5), ("b", 1))),
]
# By row: wrong by 1 and by 4; right; a tie; wrong by 2.
REWARDS = {0: [1.0, 5.0, 2.0], 2: [3.0, 1.0], 3: [1.0, 1.0], 4: [0.0, 2.0]}


@pytest.fixture
def path(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


def opened(path):
    return open_any(str(path), None, None, registry().sources())


def samples_of(path, rewards=None, **options):
    rewards = REWARDS if rewards is None else rewards
    return [
        sample(document.row, document.to_json(), rewards[document.row])
        for document in load_documents(path, **options)
    ]


def test_the_largest_wrong_margin_comes_first(path, tmp_path):
    run = write_run(tmp_path / "run", samples_of(path))
    found = find_disagreements(opened(path), run)
    assert [(one.row, one.margin, one.rewards) for one in found.found] == [
        (0, 4.0, (1.0, 5.0, 2.0)),
        (4, 2.0, (0.0, 2.0)),
    ]
    assert (found.documents, found.unmatched, found.damaged) == (4, 0, 0)
    assert found.judge == "org/judge"


def test_documents_are_matched_by_their_texts_and_not_by_their_numbers(path, tmp_path):
    run = write_run(tmp_path / "run", samples_of(path))
    moved = write_jsonl(tmp_path / "moved.jsonl", [ROWS[3], ROWS[0]])
    found = find_disagreements(opened(moved), run)
    assert [(one.row, one.margin) for one in found.found] == [(1, 4.0)]
    assert (found.documents, found.unmatched) == (2, 2)


def test_the_rules_are_those_of_the_run(path, tmp_path):
    samples = samples_of(path, preference="honesty", min_gap=3)
    run = write_run(tmp_path / "run", samples, metadata={"min_gap": 3.0})
    worst = find_disagreements(opened(path), run).found[0]
    assert (worst.row, worst.margin) == (0, 4.0)
    assert (worst.rules.preference, worst.rules.min_gap) == ("honesty", 3)


def test_completions_that_the_run_left_out_have_no_reward(tmp_path):
    row = raw_row(answers=(("a", 1), ("b", 5), ("c", 4)))
    for completion, overall in zip(row["completions"], (10, 9, 3), strict=True):
        completion["overall_score"] = overall
    path = write_jsonl(tmp_path / "d.jsonl", [row])
    (document,) = load_documents(path, preference="overall")
    run = write_run(tmp_path / "run", [sample(0, document.to_json(), [1.0, 2.0])])
    (worst,) = find_disagreements(opened(path), run).found
    assert worst.rewards == (None, 1.0, 2.0)


def test_of_several_tasks_on_one_row_the_worst_counts(path, tmp_path):
    other = {row: [-reward for reward in rewards] for row, rewards in REWARDS.items()}
    tasks = {"one": samples_of(path), "two": samples_of(path, other)}
    found = find_disagreements(opened(path), write_run(tmp_path / "run", tasks))
    assert {one.row: one.task for one in found.found} == {0: "one", 4: "one", 2: "two"}


def test_damaged_lines_are_counted(path, tmp_path):
    run = write_run(tmp_path / "run", samples_of(path))
    (file,) = run.glob("samples_*")
    with file.open("a") as lines:
        lines.write('{"doc": \n')
        broken = samples_of(path)[0]
        lines.write(json.dumps({**broken, "filtered_resps": 3}) + "\n")
    assert find_disagreements(opened(path), run).damaged == 2


def test_items_of_a_benchmark_are_found_in_its_file(tmp_path):
    rows = [
        {"prompt": f"question {i}", "chosen": f"answer 0 to {i}", "rejected": f"answer 1 to {i}"}
        for i in range(3)
    ]
    path = write_jsonl(tmp_path / "natural.jsonl", rows)
    rewards = ([1.0, 0.0], [0.0, 2.0], [0.0, 3.0])
    samples = [choice(row, each, subset="") for row, each in enumerate(rewards)]
    # A run of several benchmarks: those of another file are no rows of this one.
    others = [rated(0, [0.0, 9.0], prompt="another")]
    run = write_run(tmp_path / "run", {"llmbar_natural": samples, "pairs": others})
    found = find_disagreements(opened(path), run)
    assert [(one.row, one.task, one.margin, one.rewards) for one in found.found] == [
        (2, "llmbar_natural", 3.0, (0.0, 3.0)),
        (1, "llmbar_natural", 2.0, (0.0, 2.0)),
    ]
    assert (found.documents, found.unmatched) == (3, 1)


def test_samples_of_other_tasks_are_refused(path, tmp_path):
    run = write_run(tmp_path / "run", [foreign(0, "acc", 1.0)])
    with pytest.raises(DataError, match="no samples of preference tasks here"):
        find_disagreements(opened(path), run)


def test_samples_of_other_data_are_refused(path, tmp_path):
    run = write_run(tmp_path / "run", samples_of(path))
    other = write_jsonl(tmp_path / "other.jsonl", [raw_row("another prompt")])
    with pytest.raises(DataError, match=r"none of its 4 sampled documents is a row of .*other"):
        find_disagreements(opened(other), run)


def test_a_run_without_samples_is_refused(path, tmp_path):
    run = write_run(tmp_path / "run", samples_of(path))
    for file in run.glob("samples_*"):
        file.unlink()
    with pytest.raises(DataError, match="--log_samples"):
        find_disagreements(opened(path), run)


def test_runs_of_several_judges_are_refused(path, tmp_path):
    write_run(tmp_path / "run" / "a", samples_of(path))
    write_run(tmp_path / "run" / "b", samples_of(path), model="org/other")
    with pytest.raises(DataError, match="2 models or settings"):
        find_disagreements(opened(path), tmp_path / "run")
