"""The example scripts, run as a user runs them, give what a few lines of numpy give."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from ultrarm_eval import load_judge

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def reward():
    """The reward of one text at a time."""
    judge = load_judge("demo", device="cpu")
    known = {}

    def of(prompt, completion):
        if (prompt, completion) not in known:
            (known[prompt, completion],) = judge.score([prompt], [completion])
        return known[prompt, completion]

    return of


def run(name, *arguments, cwd):
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return dict(re.split(r"  +|(?<=error) ", line, maxsplit=1) for line in done.stdout.splitlines())


def rows_of(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def clustered(values, clusters):
    """The standard error of a mean by the textbook: squared sums of deviations by cluster."""
    deviations = np.array(values) - np.mean(values)
    sums = [deviations[np.array(clusters) == one].sum() for one in dict.fromkeys(clusters)]
    count = len(sums)
    return np.sqrt(count / (count - 1) * np.sum(np.square(sums))) / len(values)


def test_score_your_pairs(reward, tmp_path):
    printed = run("score_your_pairs.py", "-o", "rewards.jsonl", cwd=tmp_path)
    pairs = rows_of(EXAMPLES / "data" / "pairs.jsonl")
    expected = [[reward(p["prompt"], p[side]) for side in ("chosen", "rejected")] for p in pairs]
    margins = [chosen - rejected for chosen, rejected in expected]
    wins = [float(margin > 0) for margin in margins]
    prompts = [p["prompt"] for p in pairs]

    assert printed["pairs"] == f"{len(pairs)} of {len(set(prompts))} prompts"
    assert float(printed["preference accuracy"]) == pytest.approx(np.mean(wins), abs=1e-4)
    error = float(printed["clustered standard error"])
    assert error == pytest.approx(clustered(wins, prompts), abs=1e-4)
    # Pairs of one prompt share an answer: treating them as independent gives another error.
    assert error != pytest.approx(np.std(wins, ddof=1) / np.sqrt(len(pairs)), abs=1e-3)
    longest = np.mean([len(p["chosen"]) > len(p["rejected"]) for p in pairs])
    assert float(printed["longest-answer baseline"]) == pytest.approx(longest, abs=1e-4)
    assert float(printed["margin"]) == pytest.approx(np.mean(margins), abs=1e-3)
    written = [row["rewards"] for row in rows_of(tmp_path / "rewards.jsonl")]
    assert np.array(written) == pytest.approx(np.array(expected), abs=1e-4)


def test_score_your_pairs_of_a_file_of_your_own(reward, tmp_path):
    pairs = [
        {"prompt": "What is 2 + 3?", "chosen": "2 + 3 is 5.", "rejected": "2 + 3 is 7."},
        {"prompt": "Say hello.", "chosen": "Hello.", "rejected": "No."},
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in pairs), encoding="utf-8")
    printed = run("score_your_pairs.py", path, cwd=tmp_path)

    better = [reward(p["prompt"], p["chosen"]) > reward(p["prompt"], p["rejected"]) for p in pairs]
    assert printed["pairs"] == "2 of 2 prompts"
    assert float(printed["preference accuracy"]) == pytest.approx(np.mean(better), abs=1e-4)


def test_judge_and_pick(reward, tmp_path):
    printed = run("judge_and_pick.py", "-o", "picks.jsonl", cwd=tmp_path)
    references = {
        row["prompt"]: row["completion"] for row in rows_of(EXAMPLES / "data" / "references.jsonl")
    }
    answers = defaultdict(dict)
    for row in rows_of(EXAMPLES / "data" / "answers.jsonl"):
        answers[row["prompt"]][row["completion"]] = reward(row["prompt"], row["completion"])
    best = {prompt: max(given, key=given.get) for prompt, given in answers.items()}
    of_references = {prompt: reward(prompt, text) for prompt, text in references.items()}

    expected = {
        "reward of one answer": [np.mean([*given.values()]) for given in answers.values()],
        "reward of the pick": [answers[prompt][text] for prompt, text in best.items()],
        "win rate of one answer": [
            np.mean([one > of_references[prompt] for one in given.values()])
            for prompt, given in answers.items()
        ],
        "win rate of the pick": [
            float(answers[prompt][text] > of_references[prompt]) for prompt, text in best.items()
        ],
    }
    assert printed["prompts"] == f"{len(answers)} of {len(answers)}"
    for name, values in expected.items():
        mean, error = map(float, printed[name].split(" ± "))
        assert mean == pytest.approx(np.mean(values), abs=1e-3), name
        assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(len(values)), abs=1e-3)
    picks = {row["prompt"]: row["completion"] for row in rows_of(tmp_path / "picks.jsonl")}
    assert picks == best


def test_prompts_without_a_reference_are_counted(tmp_path):
    first, *_ = (EXAMPLES / "data" / "references.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "one.jsonl").write_text(first + "\n", encoding="utf-8")
    printed = run("judge_and_pick.py", "--references", "one.jsonl", cwd=tmp_path)
    prompts = {row["prompt"] for row in rows_of(EXAMPLES / "data" / "answers.jsonl")}
    assert printed["excluded"] == f"{len(prompts) - 1} without a reference"
    assert printed["prompts"] == "1 of 1"


def test_the_table_names_every_example():
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    here = {one.name for one in EXAMPLES.iterdir() if not one.name.startswith((".", "_"))}
    missing = [
        one for one in here - {"README.md"} if f"{one}`" not in table and f"{one}/`" not in table
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["score_your_pairs.py", "judge_and_pick.py"])
def test_an_example_stays_short(name):
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 80
