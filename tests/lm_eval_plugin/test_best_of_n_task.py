"""`BestOfNTask` around any task: `gsm8k_best_of_n`, and YAMLs of one's own."""

import itertools
import math
import statistics
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.conftest import write_jsonl
from ultrarm_eval.errors import ConfigurationError, DataError, ScoringError
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers
from ultrarm_eval.metrics.best_of_k import sizes

TASK = "gsm8k_best_of_n"
# What the model writes to each question, in turn; the right answers are 2, 1,000 and 7.
WRITTEN = {
    "one": ["It is 2.", "so 3", "2", "no idea", "Well, 3 and then 2"],
    "two": ["1,000", "$1,000.", "999", "1000", "none"],
    "three": ["8", "9", "8", "10", "it is 8"],
}
GOLD = {"one": "2", "two": "1,000", "three": "7"}
N = 5


def found_in(text):
    return {"It is 2.": "2", "so 3": "3", "Well, 3 and then 2": "2", "$1,000.": "1000",
            "1,000": "1000", "no idea": None, "none": None, "it is 8": "8"}.get(text, text)  # fmt: skip


def is_right(question, text):
    return float(found_in(text) == GOLD[question].replace(",", ""))


@pytest.fixture
def data(tmp_path):
    rows = [{"question": q, "answer": f"Thus.\n#### {GOLD[q]}"} for q in WRITTEN]
    return str(write_jsonl(tmp_path / "gsm8k.jsonl", rows))


@pytest.fixture
def model(writer):
    def write(prompt, turn):
        (question,) = (q for q in WRITTEN if q in prompt)
        return WRITTEN[question][turn]

    return writer(write)


def length(_, completion):
    return float(len(completion))


def evaluate(run, model, metadata, **options):
    return run(model, [TASK], {"n": N, **metadata}, num_fewshot=0, **options)


def enumerated(reward, k):
    """first, judge, majority and oracle at k, by all subsets and all orders of equals."""
    found = {"first": [], "judge": [], "majority": [], "oracle": []}
    for question, texts in WRITTEN.items():
        right = [is_right(question, text) for text in texts]
        rewards = [reward("", text) for text in texts]
        values = {name: [] for name in found}
        for subset in itertools.combinations(range(N), k):
            values["first"].append(statistics.fmean(right[i] for i in subset))
            best = max(rewards[i] for i in subset)
            values["judge"].append(statistics.fmean(right[i] for i in subset if rewards[i] == best))
            votes = Counter(found_in(texts[i]) for i in subset if found_in(texts[i]) is not None)
            most = [v for v, count in votes.items() if count == max(votes.values())]
            of = [
                statistics.fmean(right[i] for i in subset if found_in(texts[i]) == v) for v in most
            ]
            values["majority"].append(statistics.fmean(of) if of else 0.0)
            values["oracle"].append(max(right[i] for i in subset))
        for name, of_prompt in values.items():
            found[name].append(statistics.fmean(of_prompt))
    return {name: statistics.fmean(of_prompts) for name, of_prompts in found.items()}


@pytest.mark.parametrize("reward", [length, lambda *_: 0.0, lambda _, c: float("2" in c)])
def test_every_way_of_picking_is_what_enumeration_says(run, model, data, scripted, reward):
    judge = scripted(reward)
    results = evaluate(run, model, {"data": data})
    figures = results["results"][TASK]
    for k in sizes(N):
        for way, value in enumerated(reward, k).items():
            name = f"exact_match_{way}@{k},flexible-extract"
            assert figures[name] == pytest.approx(value, abs=1e-12), name
    assert [prompt for prompt, _ in judge.asked[:N]] == ["one"] * N
    assert [text for _, text in judge.asked[:N]] == WRITTEN["one"]
    sample = results["samples"][TASK][0]
    assert sample["filtered_resps"] == [["2.", "3", "2", "[invalid]", "2"]]
    assert [one["reward"] for one in sample["judged"]] == [reward("", t) for t in WRITTEN["one"]]


def test_the_standard_error_is_over_prompts(run, model, data, scripted):
    scripted(length)
    figures = evaluate(run, model, {"data": data})["results"][TASK]
    per_prompt = [statistics.fmean(is_right(q, t) for t in texts) for q, texts in WRITTEN.items()]
    expected = statistics.stdev(per_prompt) / math.sqrt(3)
    assert figures["exact_match_first@1_stderr,flexible-extract"] == pytest.approx(expected)


def test_the_real_judge_and_the_fewshot_of_a_folder(run, model, tmp_path):
    import datasets

    rows = [{"question": q, "answer": f"#### {GOLD[q]}"} for q in WRITTEN]
    train = [{"question": f"example {i}", "answer": f"#### {i}"} for i in range(6)]
    folder = tmp_path / "saved"
    datasets.DatasetDict(
        {"test": datasets.Dataset.from_list(rows), "train": datasets.Dataset.from_list(train)}
    ).save_to_disk(str(folder))
    results = run(model, [TASK], {"data": str(folder), "judge": "demo", "n": 2})
    assert model.requests[0].args[0].count("Question:") == 6
    assert model.requests[0].args[1]["until"] == ["Question:"]
    assert results["configs"][TASK]["metadata"]["judge_used"]["pretrained"] == "demo"


def test_a_file_has_no_examples(run, model, data):
    with pytest.raises(ConfigurationError, match=r"num_fewshot is 5, .*\. Give --num_fewshot 0"):
        run(model, [TASK], {"data": data, "judge": "demo"})
    assert model.requests == []


def test_data_that_are_not_there_are_named(run, model):
    with pytest.raises(DataError, match="data='nowhere.jsonl': no such file or folder"):
        evaluate(run, model, {"data": "nowhere.jsonl"})


def test_greedy_answers_are_refused(run, model, data):
    with pytest.raises(ConfigurationError, match="would all be the same"):
        evaluate(run, model, {"data": data, "judge": "demo"}, gen_kwargs="do_sample=False")


def test_an_answer_without_a_score_is_counted_and_no_pick_is_guessed(run, model, data, scripted):
    def critique(_, completion):
        read = completion != "no idea"
        return CritiquedReward(
            1.0 if read else math.nan, Critique(("hm",), (1.0 if read else None,))
        )

    scripted(critique)
    results = evaluate(run, model, {"data": data})
    samples = results["samples"][TASK]
    for way in ("first", "judge", "majority", "oracle"):
        shown = [sample[f"exact_match_{way}@5"] is not None for sample in samples]
        assert shown == [False, True, True]
    figures = results["results"][TASK]
    values = [sample["exact_match_first@5"] for sample in samples[1:]]
    assert figures["exact_match_first@5,flexible-extract"] == statistics.fmean(values)
    error = statistics.stdev(values) / math.sqrt(2)
    assert figures["exact_match_first@5_stderr,flexible-extract"] == pytest.approx(error)
    assert results["configs"][TASK]["metadata"]["answers_without_score"] == 1
    assert samples[0]["judged"][3] == {"reward": None, "critiques": ["hm"], "scores": [None]}


def test_answers_that_the_metric_takes_for_the_same_vote_together(run, writer, data, scripted):
    scripted(length)
    texts = ["18."] * 2 + ["18"] * 2 + ["20"] * 3
    model = writer(lambda _, turn: texts[turn])
    results = run(model, [TASK], {"data": data, "n": 7}, num_fewshot=0)
    sample = results["samples"][TASK][0]
    assert sample["exact_match_majority@7"] == 0.0
    rows = [{"question": "one", "answer": "#### 18"}]
    path = write_jsonl(Path(data).with_name("eighteen.jsonl"), rows)
    results = run(
        writer(lambda _, turn: texts[turn]), [TASK], {"data": str(path), "n": 7}, num_fewshot=0
    )
    assert results["samples"][TASK][0]["exact_match_majority@7"] == 1.0


def test_a_model_that_writes_one_answer_again_and_again_is_told_of(
    run, writer, data, scripted, caplog
):
    scripted(length)
    run(writer(lambda *_: "2"), [TASK], {"data": data, "n": 4}, num_fewshot=0)
    assert "for 3 of 3 prompts all answers of the model were identical" in caplog.text


def test_requests_are_never_taken_from_the_harness_cache(run, model, data, scripted, tmp_path):
    scripted(length)
    for n in (2, 4):
        model.requests.clear()
        run(model, [TASK], {"data": data, "n": n}, num_fewshot=0, cache_requests=True)
        assert len(model.requests) == 3 * n


def test_a_part_of_the_data_and_keys_that_are_nearly_ours(run, model, data, scripted):
    scripted(length)
    results = evaluate(run, model, {"data": data, "shard": "1/2"})
    assert len(results["samples"][TASK]) in (1, 2)
    with pytest.raises(ConfigurationError, match="did you mean 'judge'"):
        evaluate(run, model, {"data": data, "judge_model": "x"})


def test_where_only_answers_are_asked_for_no_judge_is_made(run, model, data):
    results = evaluate(run, model, {"data": data, "judge": "/nowhere"}, predict_only=True)
    assert results["samples"][TASK][0]["resps"] == [WRITTEN["one"]]


class TestOnesOwn:
    @pytest.fixture
    def own(self, tmp_path, data):
        def write(**config):
            (tmp_path / "best.py").write_text(
                "from ultrarm_eval.lm_eval_plugin.best_of_n_task import BestOfNTask\n"
            )
            written = {
                "task": "own",
                "dataset_path": "json",
                "dataset_kwargs": {"data_files": {"test": data}},
                "test_split": "test",
                "output_type": "generate_until",
                "doc_to_text": "{{question}}",
                "doc_to_target": "{{answer.split('#### ')[-1]}}",
                "repeats": 3,
                "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
                **config,
            }  # fmt: skip
            text = yaml.safe_dump(written) + "class: !function best.BestOfNTask\n"
            (tmp_path / "own.yaml").write_text(text)
            return str(tmp_path)

        return write

    def test_without_filters_the_whole_answer_is_looked_at(self, run, model, own, scripted):
        judge = scripted(length)
        results = run(model, ["own"], {}, include_path=own())
        whole = [[float(t == GOLD[q]) for t in texts[:3]] for q, texts in WRITTEN.items()]
        figures = results["results"]["own"]
        expected = statistics.fmean(statistics.fmean(one) for one in whole)
        assert figures["exact_match_first@1,none"] == pytest.approx(expected)
        assert figures["exact_match_oracle@3,none"] == pytest.approx(1 / 3 + 1 / 3)
        # The usual column is the prompt.
        assert judge.asked[0][0] == "one"
        how = {"do_sample": True, "temperature": 1.0, "until": []}
        assert model.requests[0].args[1] == how

    def test_the_yaml_names_judge_and_prompt_and_the_run_another_judge(
        self, run, model, own, monkeypatch
    ):
        asked = []

        def judge_of(checkpoint, settings):
            asked.append((checkpoint, dict(settings or {})))
            raise ConfigurationError("enough")

        monkeypatch.setattr("ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge", judge_of)
        function = {"function": "reward", "prompt": "Q: {{question}}", "judge": "theirs", "judge_args": {"dtype": "float32"}}  # fmt: skip
        folder = own(filter_list=[{"name": "a", "filter": [function]}])
        for metadata in ({}, {"judge": "mine"}, {"judge_args": {"device": "cpu"}}):
            with pytest.raises(ConfigurationError, match="enough"):
                run(model, ["own"], metadata, include_path=folder)
        assert asked == [
            ("theirs", {"dtype": "float32"}),
            ("mine", {}),
            ("theirs", {"device": "cpu"}),
        ]

    def test_two_ways_to_find_the_answer_share_the_rewards(self, run, model, own, scripted):
        judge = scripted(length)
        lists = [
            {"name": name, "filter": [{"function": "reward"}, {"function": "regex", "regex_pattern": pattern}]}
            for name, pattern in (("number", "([0-9,]+)"), ("word", "([a-z]+)"))
        ]  # fmt: skip
        figures = run(model, ["own"], {}, include_path=own(filter_list=lists))["results"]["own"]
        assert figures["exact_match_oracle@3,number"] == pytest.approx(2 / 3)
        assert figures["exact_match_oracle@3,word"] == 0.0
        assert len(judge.asked) == 9

    def test_a_list_without_a_judge_is_judged_like_the_first_with_one(
        self, run, model, own, monkeypatch
    ):
        asked = set()

        def judge_of(checkpoint, settings):
            asked.add(checkpoint)
            raise ConfigurationError("enough")

        monkeypatch.setattr("ultrarm_eval.lm_eval_plugin.reward_filters.shared_judge", judge_of)
        lists = [
            {"name": "a", "filter": [{"function": "regex", "regex_pattern": "x"}]},
            {"name": "b", "filter": [{"function": "reward", "judge": "theirs"}]},
        ]
        with pytest.raises(ConfigurationError, match="enough"):
            run(model, ["own"], {}, include_path=own(filter_list=lists))
        assert asked == {"theirs"}

    def test_lower_may_be_better(self, run, writer, own, scripted):
        scripted(length)
        metric = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": False}
        model = writer(lambda prompt, turn: ["2", "no", "nor"][turn])
        results = run(model, ["own"], {}, include_path=own(metric_list=[metric]))
        sample = results["samples"]["own"][0]
        assert (sample["exact_match_oracle@1"], sample["exact_match_oracle@3"]) == (1 / 3, 0.0)

    def test_a_filter_that_finds_none_votes_for_nothing(self, run, writer, own, scripted):
        scripted(length)
        model = writer(lambda prompt, turn: ["2", "no", "nor"][turn])
        functions = [
            {"function": "reward"},
            {"function": "map", "mapping_dict": {"2": "2"}},
        ]
        folder = own(filter_list=[{"name": "f", "filter": functions}])
        results = run(model, ["own"], {}, include_path=folder)
        assert results["samples"]["own"][0]["exact_match_majority@3"] == 1.0

    def test_what_does_not_fit_shows_before_the_model_writes(self, run, model, own, scripted):
        scripted(length)
        # From lm-eval 0.5 on the metric's class aggregates, and has no name to be called by.
        how = {} if tasks_have_scorers() else {"aggregation": "bleu"}
        metric = {"metric": "bleu", "higher_is_better": True, **how}
        with pytest.raises(ScoringError, match="for a single answer the metric"):
            run(model, ["own"], {}, include_path=own(metric_list=[metric]))
        functions = [{"function": "reward"}, {"function": "take_first"}]
        folder = own(filter_list=[{"name": "f", "filter": functions}])
        with pytest.raises(ConfigurationError, match="does not keep every answer"):
            run(model, ["own"], {}, include_path=folder)
        functions = [{"function": "reward", "prompt": "{{question[3]}}"}]
        folder = own(filter_list=[{"name": "f", "filter": functions}])
        with pytest.raises(ConfigurationError, match="prompt=.* fails"):
            run(model, ["own"], {}, include_path=folder)
        assert model.requests == []

    @pytest.mark.parametrize(
        ("functions", "message"),
        [
            ([{"function": "reward"}, {"function": "take_first"}], "does not keep every answer"),
            ([{"function": "best_of_n"}], "this task picks the answer itself"),
            ([{"function": "take_first"}, {"function": "reward"}], "'reward' must come first"),
            ([{"function": "reward", "promt": "x"}], "'promt'"),
        ],
    )
    def test_filters_that_do_not_fit_are_named(self, run, model, own, scripted, functions, message):
        scripted(length)
        folder = own(filter_list=[{"name": "f", "filter": functions}])
        with pytest.raises(ConfigurationError, match=message):
            run(model, ["own"], {}, include_path=folder)
