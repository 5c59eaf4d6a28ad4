"""The scoring benchmarks run, compare what they time, and compute their ratios rightly."""

from __future__ import annotations

import importlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = (
    "matrix_peak",
    "scoring_loads",
    "scoring_ways",
    "scoring_speed",
    "scoring_growth",
    "optional_speed",
    "vllm_speed",
)
FOUR = ("a red fox", "two blue birds", "the sky is green", "a list of words")


@pytest.fixture(scope="module")
def benchmarks() -> Iterator[dict[str, Any]]:
    """The benchmarks' own code by name; their folder is no package."""
    # So small a model only loses by threads that wait for each other on a busy machine.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield {name: importlib.import_module(name) for name in MODULES}
    torch.set_num_threads(threads)
    for name in MODULES:
        del sys.modules[name]


@pytest.fixture
def speed(benchmarks: dict[str, Any]) -> Any:
    return benchmarks["scoring_speed"]


@pytest.fixture
def loads(benchmarks: dict[str, Any]) -> Any:
    return benchmarks["scoring_loads"]


@pytest.fixture
def ways(benchmarks: dict[str, Any]) -> Any:
    return benchmarks["scoring_ways"]


def run(script: Any, path: Path, *arguments: str) -> dict[str, Any]:
    script.main([*arguments, "-o", str(path)])
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs_file(folder: Path) -> Path:
    return write_lines(
        folder / "pairs.jsonl",
        [
            {"prompt": f"question {i}", "chosen": f"answer {i} is long", "rejected": f"no {i}"}
            for i in range(6)
        ],
    )


def four_file(folder: Path, *, responses: tuple[str, ...] = FOUR) -> Path:
    return write_lines(
        folder / "four.jsonl",
        [
            {
                "instruction": f"Say something about {i}.\nBriefly.",
                "completions": [{"response": f"{text} {i}"} for text in responses],
            }
            for i in range(3)
        ],
    )


def assert_finite_and_positive(ways: dict[str, dict[str, Any]], *names: str) -> None:
    for way, figures in ways.items():
        for name in names:
            assert math.isfinite(figures[name]), (way, name)
            assert figures[name] > 0, (way, name)


class TestSpeed:
    @pytest.mark.slow
    def test_all_ways_over_ultrafeedbacks_lengths(self, speed: Any, tmp_path: Path) -> None:
        figures = run(
            speed, tmp_path / "o.json", "--shape", "tiny", "--limit", "1", "--rounds", "2"
        )
        assert list(figures["ways"]) == list(speed.WAYS)
        assert_finite_and_positive(figures["ways"], "median_s", "least_s", "most_s", "gflops")
        assert figures["texts"] == 4
        assert figures["pairs"] == 6
        assert figures["differences_from"] == "loop"
        for way, found in figures["ways"].items():
            if way == "hf":
                assert found["largest_difference"] is None
            else:
                assert found["largest_difference"] <= 5e-5
        assert all(peak > 0 for peak in figures["matrix_peak_gflops"].values())
        assert figures["computed_over_distinct"] >= 1
        assert set(figures["ratios"]) == {"padded", "packed", "shared"}

    @pytest.mark.few(1)
    @pytest.mark.parametrize("name", ["pairs", "four"])
    def test_files(self, speed: Any, tmp_path: Path, name: str) -> None:
        path = {"pairs": pairs_file, "four": four_file}[name](tmp_path)
        options = ("--shape", "tiny", "--rounds", "1", "--ways", "sorted", "shared")
        figures = run(
            speed, tmp_path / "o.json", name, "--data", str(path), "--limit", "2", *options
        )
        assert figures["prompts"] == 2
        assert figures["texts"] == {"pairs": 4, "four": 8}[name]
        assert figures["pairs"] == {"pairs": 2, "four": 12}[name]
        assert list(figures["ways"]) == ["sorted", "shared"]
        assert_finite_and_positive(figures["ways"], "median_s")
        assert str(tmp_path) not in (tmp_path / "o.json").read_text()

    @pytest.mark.slow
    def test_the_loop_of_many_answers_scores_each_once(
        self, speed: Any, loads: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(loads, "BEST_OF", 5)
        options = ("--shape", "tiny", "--limit", "1", "--rounds", "1")
        figures = run(speed, tmp_path / "o.json", "best_of_n", *options)
        assert list(figures["ways"]) == ["each", "sorted", "shared"]
        assert (figures["texts"], figures["differences_from"]) == (5, "each")
        ratio = figures["text_tokens"] / figures["distinct_tokens"]
        assert figures["text_over_distinct"] == ratio > 1

    def test_a_file_is_needed(self, speed: Any, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            speed.main(["pairs"])
        assert "--data PATH is needed" in capsys.readouterr().err

    def test_ratios_are_taken_within_rounds(self, speed: Any) -> None:
        seconds = {"loop": [8.0, 9.0, 40.0], "shared": [2.0, 3.0, 4.0]}
        assert speed.ratios(seconds, "shared", "loop") == {
            "median": 4.0,
            "least": 3.0,
            "most": 10.0,
        }

    def test_every_way_has_every_place(self, speed: Any) -> None:
        names = ["a", "b", "c"]
        orders = [speed.in_order_of(i, names) for i in range(3)]
        assert orders == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]]
        assert speed.in_order_of(3, names) == names

    def test_goals(self, speed: Any) -> None:
        measured = {
            "load": "pairs",
            "shape": "40m",
            "computed_over_distinct": 1.04,
            "ratios": {"shared": {"loop": {"median": 2.5}, "rewardbench": {"median": 5.4}}},
        }
        assert [goal["met"] for goal in speed.goals(measured)] == [True, False, False]
        many = {**measured, "load": "best_of_n", "ratios": {"shared": {"each": {"median": 10.1}}}}
        assert [goal["met"] for goal in speed.goals(many)] == [True, False]
        # They are goals for one shape.
        assert len(speed.goals({**measured, "shape": "tiny"})) == 1
        assert len(speed.goals({**measured, "ratios": {}})) == 1


class TestRewardsAgree:
    def test_rounding_is_allowed(self, speed: Any) -> None:
        assert speed.largest_difference("shared", {0: 1.0, 1: 2.00004}, {0: 1.0, 1: 2.0}) > 3e-5

    @pytest.mark.parametrize("other", [1.0001, math.nan])
    def test_more_ends_the_run(self, speed: Any, other: float) -> None:
        with pytest.raises(speed.DisagreementError, match="shared: rewards differ"):
            speed.largest_difference("shared", {0: other}, {0: 1.0})

    def test_a_missing_reward_ends_the_run(self, speed: Any) -> None:
        with pytest.raises(speed.DisagreementError, match="1 rewards, and not 2"):
            speed.largest_difference("shared", {0: 1.0}, {0: 1.0, 1: 1.0})

    def test_a_wrong_way_is_found_out(
        self, speed: Any, ways: Any, loads: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def wrong(*arguments: Any) -> dict[int, float]:
            return {i: reward + 1e-4 for i, reward in right(*arguments).items()}

        right = ways.score_by_us
        monkeypatch.setattr(ways, "score_by_us", wrong)
        load = loads.ultrafeedbacks_lengths(1, 8000, 0)
        with pytest.raises(speed.DisagreementError):
            speed.measure(
                "four",
                load,
                ways=["sorted", "shared"],
                shape="tiny",
                rounds=1,
                budget=2048,
                seed=0,
            )


class TestLoads:
    def test_lengths_have_the_stated_means(self, loads: Any) -> None:
        load = loads.ultrafeedbacks_lengths(1000, 1000, 0)
        prompts = np.array(load.context_lengths[:: loads.COMPLETIONS]) - 1
        answers = np.array([len(ids) for ids in load.texts]) - np.array(load.context_lengths)
        # The limit of 1,000 tokens takes a little off the prompts' long tail.
        assert prompts.mean() == pytest.approx(185, rel=0.07)
        assert answers.mean() == pytest.approx(305, rel=0.05)
        assert max(len(ids) for ids in load.texts) <= loads.MAX_LENGTH
        assert len(set(load.texts)) == len(load.texts)

    @pytest.mark.few(1)
    @pytest.mark.parametrize(
        ("name", "answers", "of_prompt", "of_answer"),
        [("best_of_n", 32, 160, 400), ("long_prompts", 4, 1200, 100)],
    )
    def test_loads_of_other_shapes(
        self, loads: Any, name: str, answers: int, of_prompt: int, of_answer: int
    ) -> None:
        load = loads.RANDOM_LOADS[name](250, 1000, 0)
        assert len(load.texts) == len(set(load.texts)) == 250 * answers
        assert len(load.pairs) == 250 * answers * (answers - 1) // 2
        contexts = np.array(load.context_lengths)
        own = np.array([len(ids) for ids in load.texts]) - contexts
        assert contexts.mean() - 1 == pytest.approx(of_prompt, rel=0.15)
        assert own.mean() == pytest.approx(of_answer, rel=0.1)
        assert max(len(ids) for ids in load.texts) <= loads.MAX_LENGTH

    def test_a_file_makes_the_same_ids_again_whatever_the_sample(
        self, loads: Any, tmp_path: Path
    ) -> None:
        path = four_file(tmp_path)
        whole, again = (loads.load_from_file("four", path, None, 0) for _ in range(2))
        assert whole == again
        assert len(whole.texts) == 12
        assert set(loads.load_from_file("four", path, 2, 1).texts) < set(whole.texts)

    def test_equal_answers_are_one_text_and_no_pair(self, loads: Any, tmp_path: Path) -> None:
        path = four_file(tmp_path, responses=("a", "b", "a", "c"))
        load = loads.load_from_file("four", path, 1, 0)
        assert len(load.texts) == 3
        assert len(load.pairs) == 5

    def test_contexts_are_shared_and_leave_an_answer(self, loads: Any, tmp_path: Path) -> None:
        path = four_file(tmp_path, responses=("", "b", "c", "d"))
        load = loads.load_from_file("four", path, None, 0)
        for ids, context in zip(load.texts, load.context_lengths, strict=True):
            assert ids[0] == loads.BOS
            assert 1 <= context < len(ids)

    def test_long_texts_are_cut_on_the_left(self, loads: Any) -> None:
        class OfCharacters:
            def encode(self, texts: Any) -> Any:
                one = isinstance(texts, str)
                found = [[ord(c) for c in text] for text in ([texts] if one else texts)]
                return found[0] if one else found

        load = loads.tokenised([("p" * 3000, ("xyz", "q" * 3000))], OfCharacters())
        assert [len(ids) for ids in load.texts] == [2048, 2048]
        assert load.texts[0][0] == loads.BOS
        assert bytes(load.texts[0][-4:]) == b" xyz"
        assert load.context_lengths == [2045, 1]

    def test_the_real_pairs(self, loads: Any, real_pairs: Path) -> None:
        conversations = loads.read_pairs(real_pairs)
        assert 800 < len(conversations) <= 1000
        assert all(len(answers) == 2 for _, answers in conversations)


class TestGrowth:
    @pytest.mark.slow
    def test_figures(self, benchmarks: dict[str, Any], tmp_path: Path) -> None:
        growth = benchmarks["scoring_growth"]
        figures = run(growth, tmp_path / "o.json", "--prompts", "3", "12", "--rounds", "1")
        assert_finite_and_positive(
            {"": figures},
            "outside_us_per_distinct_token",
            "tokenising_us_per_distinct_token",
            "planning_us_per_distinct_token",
            "share_outside",
        )
        few, many = figures["sizes"]["3"], figures["sizes"]["12"]
        assert (few["texts"], many["texts"]) == (12, 48)
        assert few["distinct_tokens"] < few["text_tokens"] < many["text_tokens"]
        assert [goal["goal"] for goal in figures["goals"]] == [1.1, 0.02]

    def test_summary_of_given_times(self, benchmarks: dict[str, Any]) -> None:
        def size(tokens: int, *seconds: float) -> dict[str, Any]:
            return {
                "distinct_tokens": tokens,
                "whole_s": list(seconds),
                "outside_s": [s / 10 for s in seconds],
                "tokenising_s": 0.5,
                "planning_s": 0.1,
            }

        found = benchmarks["scoring_growth"].summary(
            {
                "tokens_per_second": 1_000_000,
                "shares": [0.01, 0.03, 0.02],
                "sizes": {"1": size(1000, 1.0, 1.0, 2.0), "2": size(10_000, 11.0, 12.0, 20.0)},
            }
        )
        assert found["growth"] == pytest.approx({"median": 1.1, "least": 1.0, "most": 1.2})
        assert found["outside_us_per_distinct_token"] == pytest.approx(120)
        assert found["share_outside"] == pytest.approx(0.02)
        assert found["tokenising_us_per_distinct_token"] == pytest.approx(50)

    @pytest.mark.slow
    def test_texts_have_the_stated_lengths(
        self, benchmarks: dict[str, Any], tmp_path: Path
    ) -> None:
        import sentencepiece

        source = benchmarks["scoring_growth"].InventedTexts(tmp_path, 0)
        prompts, completions = source.draw(500)
        tokenizer = sentencepiece.SentencePieceProcessor(
            model_file=str(tmp_path / "tokenizer.model")
        )
        lengths = [
            [len(ids) for ids in tokenizer.encode(texts)] for texts in (prompts, completions)
        ]
        assert np.mean(lengths[0]) == pytest.approx(185, rel=0.15)
        assert np.mean(lengths[1]) == pytest.approx(305, rel=0.06)
        characters = sum(map(len, completions)) / sum(lengths[1])
        assert 4 < characters < 5


class TestOptionalSpeed:
    def test_figures(self, benchmarks: dict[str, Any], tmp_path: Path) -> None:
        figures = run(
            benchmarks["optional_speed"],
            tmp_path / "o.json",
            *("--device", "cpu", "--shape", "tiny", "--settings", "bfloat16"),
            *("--prompts", "2", "--rounds", "1"),
        )
        assert list(figures["settings"]) == ["float32", "bfloat16"]
        assert_finite_and_positive(figures["settings"], "median_s", "least_s", "most_s")
        plain, half = figures["settings"].values()
        assert (plain["drift"], plain["flipped_pairs"], plain["times_as_fast"]) == (0, 0, [1, 1, 1])
        assert 0 < half["drift"] < 0.2 * figures["spread_of_rewards"]

    def test_a_pair_is_flipped_where_its_rewards_change_order(
        self, benchmarks: dict[str, Any]
    ) -> None:
        load = SimpleNamespace(pairs=[(0, 1), (0, 2), (1, 2)])
        rewards = {
            "float32": {0: 3.0, 1: 2.0, 2: 1.0},
            "bfloat16": {0: 3.0, 1: 0.5, 2: 1.0},
        }
        found = benchmarks["optional_speed"].compared(
            {"float32": [4.0, 2.0, 9.0], "bfloat16": [2.0, 2.0, 3.0]}, rewards, "bfloat16", load
        )
        assert found["flipped_pairs"] == 1
        assert (found["drift"], found["drift_mean"]) == (1.5, 0.5)
        assert found["drift_over_spread"] == pytest.approx(1.5 / math.sqrt(2 / 3))
        assert found["times_as_fast"] == [2, 1, 3]


class TestAgainstVllm:
    """What can be tried without vLLM: its side is what a stand-in for it says."""

    def test_both_are_asked_in_turn_and_compared(self, benchmarks: dict[str, Any]) -> None:
        asked = []

        class Other:
            def __init__(self, error: float) -> None:
                self.error = error

            def wait_until_idle(self) -> None:
                asked.append("wait")

            def processor_seconds(self) -> float:
                return 0.0

            def score(self, texts: Any) -> dict[str, Any]:
                asked.append("vllm")
                rewards = [len(ids) + self.error for ids in texts]
                return {"seconds": 6.0, "rewards": rewards, "computed_tokens": 9}

        def ours(texts: Any) -> dict[str, Any]:
            asked.append("ours")
            return {"seconds": 4.0, "rewards": [*map(len, texts)], "computed_tokens": 5}

        script = benchmarks["vllm_speed"]
        found = script.in_turn(ours, Other(2e-4), [(1, 2), (1,)], 2)
        assert asked == ["wait", "ours", "vllm", "vllm", "wait", "ours"]
        assert found["vllms_time_over_ours"] == {"median": 1.5, "least": 1.5, "most": 1.5}
        assert found["largest_difference"] == pytest.approx(2e-4)
        assert found["computed_tokens"] == {"ours": 5, "vllm": 9}
        for error in (2e-3, math.nan):
            with pytest.raises(benchmarks["scoring_speed"].DisagreementError, match="vLLM"):
                script.in_turn(ours, Other(error), [(1, 2), (1,)], 1)

    def test_the_saved_classifier_has_the_same_rewards(
        self, benchmarks: dict[str, Any], tmp_path: Path
    ) -> None:
        from transformers import LlamaForSequenceClassification

        script = benchmarks["vllm_speed"]
        model = benchmarks["scoring_ways"].reward_model("small", 0)
        script.save_as_classifier(model, tmp_path)
        classifier = LlamaForSequenceClassification.from_pretrained(tmp_path).eval()
        ids = [1, 50, 60, 70]
        with torch.inference_mode():
            expected = float(classifier(torch.tensor([ids])).logits)
        found = script.our_score(model)([ids])
        assert found["rewards"] == [pytest.approx(expected, abs=1e-6)]
        assert found["computed_tokens"] == 4
