"""Runs that are no parts of one run, each refused by what is wrong and where."""

import json
import shutil

import pytest

from tests.conftest import write_jsonl
from tests.lm_eval_plugin.merged.written import Judge, results_in, write_run, write_shards
from ultrarm_eval.cli.main import main
from ultrarm_eval.demo import demo_data_path
from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

TASK = "ultrafeedback_pairs"


def data(folder, change=None):
    with demo_data_path().open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file][:12]
    if change is not None:
        change(rows)
    return {"data": str(write_jsonl(folder / "data.jsonl", rows))}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three parts of one run, at known times."""
    folder = tmp_path_factory.mktemp("three")
    metadata = data(folder)
    for k in (1, 2, 3):
        shard = {**metadata, "shard": f"{k}/3"}
        write_run(folder / str(k), [TASK], shard, stamp=f"2026-01-0{k}T00-00-00")
    return folder


@pytest.fixture
def parts(three, tmp_path):
    """A copy of them to change, and how merging it ends."""
    for k in (1, 2, 3):
        shutil.copytree(three / str(k), tmp_path / str(k))
    return tmp_path


@pytest.fixture
def refusal(parts, capsys):
    def merge(*options):
        status = main(["merge", *(str(parts / k) for k in "123"), "-o", str(parts / "m"), *options])
        assert status == 2
        # Nothing that looks like a run is left.
        assert not list((parts / "m").rglob("*.json*"))
        return " ".join(capsys.readouterr().err.split())

    return merge


def results_of(folder):
    (path,) = folder.rglob("results_*.json")
    return path


def samples_of(folder):
    (path,) = folder.rglob("samples_*.jsonl")
    return path


def edit(folder, change):
    path = results_of(folder)
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def rerun(parts, k, metadata, **options):
    shutil.rmtree(parts / str(k))
    return write_run(parts / str(k), [TASK], {**metadata, "shard": f"{k}/3"}, **options)


def test_a_missing_part(parts, refusal):
    shutil.rmtree(parts / "2" / "org__toy")
    message = refusal()
    assert "no results_*.json" not in message
    assert "1 of 3 shards are missing: 2" in message


def test_a_part_that_is_there_twice_counts_by_its_newest_if_asked(parts, refusal, capsys):
    shutil.copytree(parts / "2", parts / "2" / "again")
    for path in sorted((parts / "2" / "again").rglob("*2026-01-02*")):
        path.rename(path.with_name(path.name.replace("2026-01-02", "2026-02-02")))
    message = refusal()
    assert "shard 2 of 3 occurs 2 times" in message
    assert "2026-01-02" in message
    assert "2026-02-02" in message
    assert main(["merge", str(parts), "-o", str(parts / "m"), "--latest"]) == 0
    assert "Skipped, because there is a newer result of shard 2" in capsys.readouterr().out
    files = [one["file"] for one in results_in(parts / "m")["merged_from"]["runs"]]
    assert [("2026-02-02" in one) for one in files] == [False, True, False]


def test_an_older_result_without_samples_does_not_stand_in_the_way_of_the_newest(parts, refusal):
    shutil.copytree(parts / "2", parts / "2" / "again")
    for path in sorted((parts / "2" / "again").rglob("*2026-01-02*")):
        path.rename(path.with_name(path.name.replace("2026-01-02", "2026-02-02")))
    (older,) = (parts / "2" / "org__toy").glob("samples_*2026-01-02*.jsonl")
    older.unlink()
    assert "shard 2 of 3 occurs 2 times" in refusal()
    assert main(["merge", str(parts), "-o", str(parts / "m"), "--latest"]) == 0
    files = [one["file"] for one in results_in(parts / "m")["merged_from"]["runs"]]
    assert [("2026-02-02" in one) for one in files] == [False, True, False]


def test_another_judge(parts, refusal, three):
    other = RewardModelLM.of_judge(Judge(strength=2), "digests", "org/toy")
    rerun(parts, 2, {"data": str(three / "data.jsonl")}, model=other)
    message = refusal()
    assert "different judges" in message
    assert 'fingerprint="digests 1 0 40"' in message
    assert str(parts / "2") in message


def test_another_fingerprint_with_the_same_settings(parts, refusal):
    edit(parts / "3", lambda results: results["config"].update(fingerprint="another"))
    assert 'fingerprint="another"' in refusal()


def test_a_row_that_was_changed_between_the_jobs(parts, refusal):
    def change(rows):
        rows[0]["instruction"] += "?"

    # The row is of part 1: what part 2 read itself is the same.
    (parts / "other").mkdir()
    rerun(parts, 2, data(parts / "other", change))
    message = refusal()
    assert "are of different data: digest=" in message
    assert str(parts / "2") in message


def test_rows_that_were_added_between_the_jobs(parts, refusal):
    (parts / "other").mkdir()
    rerun(parts, 2, data(parts / "other", lambda rows: rows.append(rows[0])))
    assert "different numbers of rows: rows=12" in refusal()


def test_other_numbers_of_parts(parts, refusal, three):
    shutil.rmtree(parts / "2")
    write_run(parts / "2", [TASK], {"data": str(three / "data.jsonl"), "shard": "2/4"})
    assert "different numbers of shards: of=3" in refusal()


def test_a_limit(parts, refusal, three):
    rerun(parts, 2, {"data": str(three / "data.jsonl")}, limit=2)
    assert "evaluated 2 of the 4 documents of its shard (--limit 2" in refusal()


def test_other_rules(parts, refusal, three):
    rerun(parts, 2, {"data": str(three / "data.jsonl"), "ties": "wrong"})
    assert 'ties="half" in' in refusal()


def test_another_version_of_the_task(parts, refusal):
    edit(parts / "2", lambda results: results["versions"].update({TASK: 0.5}))
    assert "version=1.0 in" in refusal()


def test_another_version_of_the_harness(parts, refusal):
    edit(parts / "2", lambda results: results.update(lm_eval_version="0.5.0"))
    assert 'lm_eval_version="0.5"' in refusal()


def test_samples_that_were_not_logged(parts, refusal):
    samples_of(parts / "2").unlink()
    assert "--log_samples" in refusal()


@pytest.mark.parametrize("lines", [3, 3.5])
def test_samples_that_are_cut_off(parts, refusal, lines):
    path = samples_of(parts / "2")
    content = path.read_text(encoding="utf-8").splitlines(keepends=True)
    half = content[3][:100] if lines == 3.5 else ""
    path.write_text("".join(content[:3]) + half, encoding="utf-8")
    message = refusal()
    assert str(path) in message
    assert ("samples of 3 documents" if lines == 3 else "line 4") in message


def test_samples_of_another_part(parts, refusal):
    shutil.copyfile(samples_of(parts / "1"), samples_of(parts / "2"))
    assert "is not in shard 2 of 3" in refusal()


def test_results_and_samples_that_were_swapped(parts, refusal):
    one, two = results_of(parts / "1"), results_of(parts / "2")
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert "is not in shard" in refusal()


def test_a_reward_that_was_edited(parts, refusal):
    path = samples_of(parts / "2")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[1]["filtered_resps"][0][0] = "99.0"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    message = refusal()
    assert f"{path}, line 2: " in message
    assert "its rewards give" in message


def test_a_document_that_was_exchanged(parts, refusal):
    path = samples_of(parts / "2")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[1]["doc_hash"] = lines[2]["doc_hash"]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    assert "documents do not match the data_digest" in refusal()


def test_a_run_that_is_no_part(parts, refusal, three):
    shutil.rmtree(parts / "2")
    write_run(parts / "2", [TASK], {"data": str(three / "data.jsonl")})
    assert "ran without the metadata shard" in refusal()


def test_a_task_that_is_asked_for_and_not_there(parts, refusal):
    assert f"--tasks hellaswag: no run has this task. Tasks in these runs: {TASK}" in refusal(
        "--tasks", "hellaswag"
    )


def test_a_folder_with_a_run_is_left_alone(parts, capsys):
    before = {path: path.read_bytes() for path in (parts / "1").rglob("*") if path.is_file()}
    assert main(["merge", str(parts), "-o", str(parts / "1")]) == 2
    assert "already contains a run" in capsys.readouterr().err
    assert {p: p.read_bytes() for p in (parts / "1").rglob("*") if p.is_file()} == before


def test_what_differs_without_a_reward_depending_on_it_is_told(parts, capsys):
    def change(results):
        results["config"].update(device="cuda:1", device_used="cuda:1", batch_size=8)
        results["config"]["model_args"] = {"pretrained": "org/toy", "score_store": "2.sqlite"}
        results["total_evaluation_time_seconds"] = "1000.5"

    edit(parts / "2", change)
    assert main(["merge", *(str(parts / k) for k in "123"), "-o", str(parts / "m")]) == 0
    told = capsys.readouterr().out
    assert 'differs between runs: config.device_used: null, "cuda:1"' in told or "cuda:1" in told
    merged = results_in(parts / "m")
    assert float(merged["total_evaluation_time_seconds"]) > 1000.5
    assert merged["merged_from"]["differing"]["config.batch_size"] == [None, 8]


@pytest.mark.slow
def test_parts_of_one_task_each_in_a_run_of_its_own(tmp_path):
    metadata = data(tmp_path)
    for task in (TASK, "ultrafeedback_pairs_demo"):
        write_shards(tmp_path / "runs" / task, [task], metadata, 2)
    assert main(["merge", str(tmp_path / "runs"), "-o", str(tmp_path / "m")]) == 0
    merged = results_in(tmp_path / "m")
    assert list(merged["results"]) == [TASK, "ultrafeedback_pairs_demo"]
    assert merged["n-samples"]["ultrafeedback_pairs_demo"] == {"original": 200, "effective": 200}
