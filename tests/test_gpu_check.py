"""The check for a card: its record, its measures, and all of it on the CPU with the tiny shape."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.tree import prefix_forest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPT = BENCHMARKS / "gpu_check.sh"
CPU = torch.device("cpu")
#: On a busy machine; each step's own limit is in proportion to it.
PATIENCE = "3000"


@pytest.fixture(scope="module")
def check() -> Iterator[SimpleNamespace]:
    """The modules of the check; their folder is no package that is installed."""
    names = ("__main__", "accuracy", "random_models", "record", "scoring", "steps")
    before = set(sys.modules)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield SimpleNamespace(
            **{name.strip("_"): importlib.import_module(f"gpu_check.{name}") for name in names}
        )
    torch.set_num_threads(threads)
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in ("gpu_check", "matrix_peak") or name.startswith("scoring_"):
            del sys.modules[name]


def begun(check: SimpleNamespace, path: Path, *names: str) -> Any:
    record = check.record.Record(path)
    record.begin(names, {"device": "cpu", "shape": "tiny", "limit_s": 460.0})
    return record


class TestRecord:
    def test_every_step_stands_in_it_from_the_start(
        self, check: SimpleNamespace, tmp_path: Path
    ) -> None:
        record = begun(check, tmp_path / "o.json", "kernels")
        steps = record.read()["steps"]
        assert list(steps) == [step.name for step in check.steps.STEPS]
        assert {one["passed"] for one in steps.values()} == {None}
        assert steps["kernels"]["reason"] == "it was not reached"
        assert steps["shape_13b"]["reason"] == "it was not asked for"

    def test_what_a_killed_process_has_found_stays(
        self, check: SimpleNamespace, tmp_path: Path
    ) -> None:
        path = tmp_path / "o.json"
        begun(check, path, "kernels")
        main = check.main
        assert main.main(["limit", str(path), "kernels", "--elapsed", "0"]) == 0
        dying = (
            "import os, pathlib, signal, sys\n"
            "from gpu_check.record import Record\n"
            "Record(pathlib.Path(sys.argv[1])).note('kernels', {'found': 3, 'none': float('nan')})\n"
            "print('about to die', flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        died = subprocess.run(
            [sys.executable, "-c", dying, str(path)],
            env={**os.environ, "PYTHONPATH": str(BENCHMARKS)},
            capture_output=True,
            text=True,
        )
        assert died.returncode == -signal.SIGKILL
        said = tmp_path / "said"
        said.write_text(died.stdout)
        arguments = ("--status", "139", "--said", str(said), "--seconds", "2")
        assert main.main(["broken", str(path), "kernels", *arguments]) == 0
        step = check.record.Record(path).read()["steps"]["kernels"]
        assert step["passed"] is False
        assert step["reason"] == "its process ended with status 139: about to die"
        assert step["figures"] == {"found": 3, "none": "nan"}
        assert main.main(["end", str(path), "--elapsed", "3"]) == 1

    def test_no_time_left_is_not_passed(
        self, check: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "o.json"
        record = begun(check, path, "environment", "kernels")
        record.set("environment", passed=True, reason=None)
        assert check.main.main(["limit", str(path), "kernels", "--elapsed", "455"]) == 0
        assert capsys.readouterr().out == "0\n"
        assert check.main.main(["end", str(path), "--elapsed", "456"]) == 1
        assert "| kernels | not run | - | it was not reached; 5 s were left |" in (
            capsys.readouterr().out
        )

    def test_what_cannot_be_run_here_is_no_failure(
        self, check: SimpleNamespace, tmp_path: Path
    ) -> None:
        record = begun(check, tmp_path / "o.json", "environment", "eight_bits")
        record.set("environment", passed=True, reason=None)
        record.set("eight_bits", passed=None, reason="fp8: it needs a card")
        assert record.end(9.0)
        assert record.read()["passed"] is True

    def test_the_steps_fit_into_the_limit_as_they_are_expected_to(
        self, check: SimpleNamespace
    ) -> None:
        # Under eight minutes with the interpreters that begin and end it.
        assert check.steps.LIMIT <= 470
        assert all(10 < step.seconds < check.steps.LIMIT for step in check.steps.STEPS)


class TestMeasures:
    def test_texts_part_at_several_depths(self, check: SimpleNamespace) -> None:
        models = check.random_models
        texts, pairs = models.branching_texts(1000, 1, trees=2, depth=3, longest=40)
        assert len(set(texts)) == len(texts)
        assert max(max(pair) for pair in pairs) == len(texts) - 1
        forest = prefix_forest(models.tokens_of(texts))
        assert len(forest) == 3
        # A text ends within another one, and one goes on by a single token.
        inner = [
            s
            for tree in forest
            for i, s in enumerate(tree)
            if s.ends >= 0 and any(o.parent == i for o in tree)
        ]
        assert inner
        assert any(segment.length == 1 for tree in forest for segment in tree)

    def test_weights_are_exact_in_every_dtype_and_rewards_see_the_whole_text(
        self, check: SimpleNamespace
    ) -> None:
        models, accuracy = check.random_models, check.accuracy
        model = models.attentive_model(models.SMALL_SHAPES["tiny"], CPU, 1, key_heads=2)
        for parameter in model.parameters():
            assert torch.equal(parameter, parameter.bfloat16().float())
            assert torch.equal(parameter, parameter.half().float())
        texts, _ = models.branching_texts(8000, 1, trees=1, depth=2, longest=30)
        loop = accuracy.ExactLoop.of(model, texts).beside(
            models.in_dtype(model, CPU, torch.bfloat16)
        )
        assert loop.dtype == torch.bfloat16
        assert 0 < accuracy.largest_difference(loop.own, loop.exact) <= loop.allowed / 3 + 0.01
        assert loop.tells_a_wrong_mask()
        # Rewards of texts whose beginning is not seen are those of a wrong mask.
        wrong = accuracy.one_at_a_time(model, [ids[len(ids) // 4 :] for ids in texts])
        pairs = [(i, i + 1) for i in range(len(texts) - 1)]
        assert not loop.compared(wrong, pairs)["passed"]
        assert loop.compared(loop.exact, pairs) == {
            "largest_difference": 0.0,
            "allowed": loop.allowed,
            "flipped_pairs": 0,
            "flipped_by_the_loop": accuracy.flipped(loop.own, loop.exact, pairs),
            "pairs": len(pairs),
            "passed": True,
        }

    def test_a_reward_that_is_missing_or_no_number_is_infinitely_far_off(
        self, check: SimpleNamespace
    ) -> None:
        far = check.accuracy.largest_difference
        assert far([1.0, 2.0], [1.0, 2.5]) == 0.5
        assert far([1.0, float("nan")], [1.0, 2.5]) == float("inf")
        assert far([1.0], [1.0, 2.5]) == float("inf")
        assert check.accuracy.in_order({1: 4.0}, 2)[1] == 4.0
        assert check.accuracy.flipped([1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [(0, 1), (1, 2)]) == 1

    def test_the_large_models_weights(self, check: SimpleNamespace) -> None:
        models = check.random_models
        model = models.random_model(models.LARGE_SHAPES["tiny"], CPU, torch.bfloat16, 0)
        assert isinstance(model, LlamaRewardModel)
        assert torch.get_default_dtype() == torch.float32
        up = model.model.layers[0].mlp.up_proj.weight.detach()
        assert up.dtype == torch.bfloat16
        assert up.float().std() == pytest.approx(0.02, rel=0.1)
        assert model.model.norm.weight.dtype == torch.float32
        assert model.regression_head.weight.dtype == torch.float32
        # Positions as bfloat16 would be too coarse to tell tokens apart.
        assert model.model.rotary_emb.inv_freq.dtype == torch.float32

    @pytest.mark.slow
    def test_rounds_of_the_large_shape(self, check: SimpleNamespace) -> None:
        comparison = check.scoring.Comparison("tiny", CPU, torch.float32, 1)
        comparison.measure_round(0)
        figures = comparison.figures()
        assert comparison.setting["texts_of_loop"] == 4
        assert figures["rounds"] == 1
        assert figures["matrix_peak_tflops"] > 0
        for name, way in figures["ways"].items():
            assert way["drift"] <= 5e-5, name
            assert min(way["median_s"], way["fraction_of_peak"]) > 0, name
        assert set(figures["ratios"]) == {"padded", "shared"}

    def test_goals(self, check: SimpleNamespace) -> None:
        measured = {
            "ratios": {"shared": {"median": 4.5}},
            "ways": {"shared": {"fraction_of_peak": 0.55}},
        }
        assert [goal["met"] for goal in check.scoring.goals("13b", measured)] == [True, False]
        assert check.scoring.goals("tiny", measured) == []


def script(path: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(
        ["bash", str(SCRIPT), "-o", str(path), *arguments],
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    found = json.loads(path.read_text()) if path.exists() else {}
    return done.returncode, found, done.stdout + done.stderr


def test_a_wrong_option_ends_before_anything_runs(tmp_path: Path) -> None:
    for arguments in (["--device", "cpu", "--shape", "13b"], ["--nothing"], ["--device", "mps"]):
        status, found, said = script(tmp_path / "o.json", *arguments)
        assert (status, found) == (2, {}), said
    assert script(tmp_path / "o.json", PYTHON="no-such-python")[0] == 2


@pytest.mark.slow
def test_the_dry_run_on_a_cpu(tmp_path: Path) -> None:
    status, found, said = script(
        tmp_path / "o.json", "--device", "cpu", "--limit", PATIENCE, CUDA_VISIBLE_DEVICES=""
    )
    outcomes = {name: step["passed"] for name, step in found["steps"].items()}
    cannot = {"eight_bits"}
    assert outcomes == {name: None if name in cannot else True for name in outcomes}, said
    assert status == 0
    assert found["passed"] is True
    assert "fp8: it needs a card" in found["steps"]["eight_bits"]["reason"]
    kernels = found["steps"]["kernels"]["figures"]
    assert max(kernels["depths"]) >= 4
    for case in kernels["cases"].values():
        assert case["kernels"]["sdpa"]["passed"]
        assert case["kernels"]["flash_attention_2"]["why_not"]
    halving = found["steps"]["token_budget"]["figures"]["halving"]["float32"]
    assert halving["budgets"]
    assert halving["last_budget"] < halving["tokens"]
    assert found["steps"]["beside_a_model"]["figures"]["the_model_writes_the_same"] is True


@pytest.mark.slow
def test_a_step_that_fails_is_written_down_and_the_others_go_on(tmp_path: Path) -> None:
    # A package that is installed and cannot be loaded.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sentencepiece.py").write_text("raise ImportError('a broken library')\n")
    status, found, said = script(
        tmp_path / "o.json",
        *("--device", "cpu", "--limit", PATIENCE),
        *("--steps", "environment", "two_judges", "token_rewards"),
        PYTHONPATH=str(tmp_path / "broken"),
    )
    assert status == 1
    steps = found["steps"]
    assert steps["environment"]["passed"] is True, said
    assert steps["two_judges"]["passed"] is False
    assert "tokenizer" in steps["two_judges"]["reason"]
    assert steps["two_judges"]["traceback"]
    assert steps["token_rewards"]["passed"] is True
    assert steps["token_rewards"]["figures"]["tokens"] > 0
    assert found["passed"] is False


@pytest.mark.slow
def test_without_a_card_every_step_says_so(tmp_path: Path) -> None:
    status, found, _ = script(
        tmp_path / "o.json",
        *("--device", "cuda", "--shape", "tiny", "--limit", PATIENCE),
        *("--steps", "environment"),
        CUDA_VISIBLE_DEVICES="",
    )
    assert status == 1
    step = found["steps"]["environment"]
    assert "does not exist. CUDA devices here: none" in step["reason"]
    # What was found before stays.
    assert step["figures"]["versions"]["torch"]
