"""`ultrarm-eval export rewardbench`: the leaderboard's two files from a run."""

import json

import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.benchmarks.rewardbench import SUBSETS
from ultrarm_eval.cli.main import main


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = [
        {
            "prompt": f"question {i}",
            "chosen": f"the sky {i} " * (1 + i % 3),
            "chosen_model": "a",
            # One empty answer, and one pair that every judge finds equal.
            "rejected": "" if i == 5 else "the sky 3 " if i == 3 else f"grass {i} " * (1 + i % 2),
            "rejected_model": "b",
            "subset": subset,
            "id": 7 * i + j,
        }
        for i, subset in enumerate(SUBSETS)
        for j in range(2)
    ]
    return write_jsonl(tmp_path_factory.mktemp("rewardbench") / "filtered.jsonl", rows)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A run of the stock evaluator with its files."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("out")
    tracker = EvaluationTracker(output_path=str(folder))
    manager = TaskManager(include_defaults=False, metadata={"data": str(data)})
    results = simple_evaluate(
        model="ultrarm",
        model_args={"pretrained": "demo", "parity": "rewardbench"},
        tasks=["rewardbench_overall"],
        task_manager=manager,
        device="cpu",
        bootstrap_iters=0,
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(
        task_name="rewardbench_overall", samples=samples["rewardbench_overall"]
    )
    return folder, results


def exported(folder, output, *more):
    assert main(["export", "rewardbench", str(folder), "-o", str(output), *more]) == 0
    return [
        json.loads((output / kind / "org" / "judge.json").read_text())
        for kind in ("eval-set", "eval-set-scores")
    ]


def test_the_files_have_the_leaderboards_form(finished, data, tmp_path):
    folder, results = finished
    accuracies, columns = exported(folder, tmp_path / "board", "--model", "org/judge")
    assert list(accuracies) == sorted(accuracies)
    assert set(accuracies) == {*SUBSETS, "model", "model_type", "chat_template"}
    assert all(isinstance(accuracies[subset], float) for subset in SUBSETS)
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    assert columns["id"] == [row["id"] for row in rows]
    assert columns["subset"] == [row["subset"] for row in rows]
    assert {len(value) for value in columns.values() if isinstance(value, list)} == {len(rows)}
    assert (columns["model"], columns["model_type"]) == ("org/judge", "Seq. Classifier")
    assert columns["chat_template"] == "openbmb"
    assert columns["text_chosen"][0] == "User: question 0\n\nAssistant: the sky 0 \n\n"
    assert columns["text_rejected"][10] == "User: question 5\n\nAssistant: "
    won = [a > b for a, b in zip(columns["scores_chosen"], columns["scores_rejected"], strict=True)]
    assert columns["results"] == [int(one) for one in won]
    # Equal rewards are wrong.
    assert columns["scores_chosen"][6] == columns["scores_rejected"][6]
    assert columns["results"][6] == 0
    for subset in SUBSETS:
        of = [r for r, s in zip(columns["results"], columns["subset"], strict=True) if s == subset]
        assert accuracies[subset] == sum(of) / len(of)
    mean = sum(columns["results"]) / len(rows)
    assert results["results"]["rewardbench_overall"]["acc,none"] == pytest.approx(mean)
    # Nothing is written behind the brace, as the leaderboard's own script does.
    written = (tmp_path / "board" / "eval-set" / "org" / "judge.json").read_text()
    assert written.startswith('{\n    "')
    assert written.endswith("\n}")


def test_the_texts_are_those_that_were_scored(finished, tmp_path):
    from ultrarm_eval import load_judge

    _, columns = exported(finished[0], tmp_path / "board", "--model", "org/judge")
    judge = load_judge("demo", device="cpu", template="raw", special_tokens="parse")
    eos = judge.tokenizer.eos_token
    again = judge.score([None] * 4, [text + eos for text in columns["text_chosen"][:4]])
    assert columns["scores_chosen"][:4] == pytest.approx(again, abs=1e-5)


def test_what_is_missing_is_named(finished, tmp_path, capsys):
    folder, _ = finished
    (results,) = folder.rglob("results_*.json")
    (samples,) = folder.rglob("samples_*.jsonl")

    def refused(path, message):
        assert main(["export", "rewardbench", str(path), "-o", str(tmp_path / "o")]) == 2
        assert message in capsys.readouterr().err

    refused(tmp_path / "nowhere", "not a results file of lm_eval")
    empty = tmp_path / "empty"
    empty.mkdir()
    refused(empty, "no results_*.json in this folder")
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / results.name).write_text(results.read_text())
    refused(alone, "Run lm_eval with --log_samples")
    lines = samples.read_text().splitlines()
    (alone / samples.name).write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:50])
    refused(alone, f"line {len(lines)}: this is not valid JSON")
    (alone / samples.name).write_text("\n".join(lines[:4]))
    refused(alone, "no row of the subset 'alpacaeval-hard'")
    (alone / results.name).write_text("{")
    refused(alone, "not valid JSON")
    (alone / results.name).write_text('{"results": {"hellaswag": {}}}')
    refused(alone, "no run of rewardbench_overall; tasks here: hellaswag")


def test_a_model_that_is_a_path_has_to_be_named(finished, tmp_path, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in [*finished[0].rglob("results_*.json"), *finished[0].rglob("samples_*.jsonl")]:
        (folder / path.name).write_text(path.read_text())
    (results,) = folder.glob("results_*.json")
    changed = json.loads(results.read_text())
    changed["config"]["pretrained"] = "/weights/mine"
    results.write_text(json.dumps(changed))
    assert main(["export", "rewardbench", str(folder), "-o", str(tmp_path / "o")]) == 2
    assert "name it with --model ORG/NAME" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "org/../../x", "<script>", "org/a\nb", "/x"])
def test_a_name_that_leaves_the_folder_is_refused(finished, tmp_path, capsys, name):
    output = tmp_path / "o"
    assert (
        main(["export", "rewardbench", str(finished[0]), "-o", str(output), "--model", name]) == 2
    )
    assert f"--model {name!r}: a model's name is ORG/NAME" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_exporting_again_gives_the_same_bytes(finished, tmp_path):
    for folder in ("a", "b"):
        exported(finished[0], tmp_path / folder, "--model", "org/judge")
    for kind in ("eval-set", "eval-set-scores"):
        first, second = (tmp_path / f / kind / "org" / "judge.json" for f in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def copied(folder, target, **changes):
    target.mkdir()
    for path in [*folder.rglob("results_*.json"), *folder.rglob("samples_*.jsonl")]:
        (target / path.name).write_text(path.read_text())
    (results,) = target.glob("results_*.json")
    content = json.loads(results.read_text())
    content["config"].update(changes)
    results.write_text(json.dumps(content))
    return target


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 20}, "only a subset of the data (--limit 20)"),
        ({"template": "pair"}, "makes two texts"),
        ({"template": "chat", "pretrained": "nobody/nothing"}, "cannot be loaded"),
    ],
)
def test_runs_that_cannot_be_written_are_named(finished, tmp_path, capsys, changes, message):
    folder = copied(finished[0], tmp_path / "run", **changes)
    assert main(["export", "rewardbench", str(folder), "-o", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_runs_of_several_models_are_not_mixed(finished, tmp_path, capsys):
    folder = tmp_path / "all"
    folder.mkdir()
    copied(finished[0], folder / "a")
    copied(finished[0], folder / "b", pretrained="org/other")
    assert main(["export", "rewardbench", str(folder), "-o", str(tmp_path / "o")]) == 2
    assert "rewardbench_overall was run with several models: demo, org/other" in (
        capsys.readouterr().err
    )
    other = {"results": {"hellaswag": {}}}
    (folder / "b" / "results_2099-01-01T00-00-00.000000.json").write_text(json.dumps(other))
    for path in (folder / "b").glob("results_20[0-8]*.json"):
        path.unlink()
    assert main(["export", "rewardbench", str(folder), "-o", str(tmp_path / "o")]) == 0


def test_a_later_smoke_run_does_not_hide_a_whole_one(finished, tmp_path, capsys, caplog):
    folder = copied(finished[0], tmp_path / "run")
    (whole,) = folder.glob("results_*.json")
    later = json.loads(whole.read_text())
    # `--samples` is not written down: what the harness counted tells.
    later["n-samples"]["rewardbench_overall"]["effective"] = 3
    name = "results_2099-01-01T00-00-00.000000.json"
    (folder / name).write_text(json.dumps(later))
    exported(folder, tmp_path / "o", "--model", "org/judge")
    assert f"of 2 runs, {whole.name} is exported" in caplog.text
    assert f"Not exported: {name} (documents 3 of 46)" in caplog.text
    assert main(["export", "rewardbench", str(folder / name), "-o", str(tmp_path / "p")]) == 2
    assert "only a subset of the data (documents 3 of 46)" in capsys.readouterr().err


def test_runs_with_several_settings_are_not_mixed(finished, tmp_path, capsys):
    folder = tmp_path / "all"
    folder.mkdir()
    copied(finished[0], folder / "a")
    told = {"template": "ultrarm"}
    other = {**told, "judge_settings": told, "judge_identifies": told}
    copied(finished[0], folder / "b", **other, fingerprint="another")
    assert main(["export", "rewardbench", str(folder), "-o", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err
    assert "rewardbench_overall was run with several settings: demo (" in said
    assert "template=rewardbench" in said
    assert "template=ultrarm" in said


def test_another_export_is_replaced_on_demand_alone(finished, tmp_path, capsys):
    output = tmp_path / "o"
    first = exported(finished[0], output, "--model", "org/judge")
    assert exported(finished[0], output, "--model", "org/judge") == first
    changed = output / "eval-set" / "org" / "judge.json"
    changed.write_text("{}")
    command = ["export", "rewardbench", str(finished[0]), "-o", str(output), "--model", "org/judge"]
    assert main(command) == 2
    assert f"{changed}: there is already an export with other content" in capsys.readouterr().err
    assert changed.read_text() == "{}"
    assert exported(finished[0], output, "--model", "org/judge", "--force") == first
