"""What `--metadata`, `--limit` and `--samples` choose, and groups and tags of our tasks."""

import json
import logging
import math

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples, raw_row, write_jsonl
from tests.harness_lines import by_task, needs_chosen_samples
from tests.metrics.rows import any_rows, completion, row, texts_row, usable_rows
from ultrarm_eval.data.rows import ListedRows, Shard, read_shard
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.sources.preference_data import PreferenceData
from ultrarm_eval.sources.ultrafeedback import RAW

TASK = "ultrafeedback_pairs"
GROUP = "ultrafeedback_by_source"
LABELS = {
    "evol_instruct": ["evol_instruct"],
    "false_qa": ["false_qa"],
    "flan": ["flan_v2_cot", "flan_v2_niv2"],
    "sharegpt": ["sharegpt"],
    "truthful_qa": ["truthful_qa"],
    "ultrachat": ["ultrachat"],
}


@pytest.fixture
def evaluate(run, model_of, tmp_path):
    """Evaluates rows with a judge that prefers long answers."""

    def evaluate_rows(rows, tasks=(TASK,), model=None, **metadata):
        settings = metadata.pop("settings", {})
        path = write_jsonl(tmp_path / "data.jsonl", rows)
        model = model or model_of(lambda _, text: len(text))
        return run(model, list(tasks), {"data": str(path), **metadata}, **settings)

    return evaluate_rows


@pytest.fixture
def log():
    """Our log lines, whether the harness has taken them over or not."""
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    ours = logging.getLogger("ultrarm_eval")
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield records
    ours.removeHandler(handler)
    ours.setLevel(level)


def evaluated_rows(results, task=TASK):
    return [sample["doc"]["row"] for sample in results["samples"][task]]


def numbered_rows(count):
    """Rows of which every fifth has no pair."""
    return [
        raw_row(instruction=f"p{i}", answers=(("right", 5), ("bad", 5 if i % 5 == 4 else 1)))
        for i in range(count)
    ]


def documents_of(rows, shard=None):
    return PreferenceDocuments(PreferenceData(ListedRows(rows, "rows"), RAW), shard=shard)


class TestShards:
    @given(st.one_of(any_rows(), usable_rows()), st.integers(1, 9))
    @settings(max_examples=examples(100), deadline=None)
    def test_they_partition_the_documents_and_rows_keep_their_numbers(self, rows, of):
        parts = []
        for number in range(1, of + 1):
            try:
                part = list(documents_of(rows, Shard(number, of)))
            except DataError:
                continue  # a part without any pair
            assert {document.row % of for document in part} == {number - 1}
            parts.extend(part)
        try:
            whole = list(documents_of(rows))
        except DataError:
            whole = []
        assert sorted(parts, key=lambda document: document.row) == whole

    @given(st.integers(1, 40), st.integers(0, 200))
    def test_they_partition_the_rows_and_are_of_one_size(self, of, total):
        parts = [list(Shard(number, of).rows(total)) for number in range(1, of + 1)]
        assert sorted(index for part in parts for index in part) == list(range(total))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1

    def test_the_third_of_sixteen_starts_with_the_third_row(self):
        assert list(read_shard("3/16").rows(40)) == [2, 18, 34]

    def test_spaces_around_the_numbers_are_no_matter(self):
        assert read_shard(" 3 / 16 ") == Shard(3, 16)

    def test_a_run_evaluates_its_part_alone(self, evaluate):
        found = []
        for number in (1, 2, 3):
            results = evaluate(numbered_rows(14), shard=f"{number}/3")
            counts = results["configs"][TASK]["metadata"]["counts"]
            found.append(evaluated_rows(results))
            assert counts["rows"] == len(range(number - 1, 14, 3))
            assert counts["documents"] == len(found[-1])
        assert found == [[0, 3, 6, 12], [1, 7, 10, 13], [2, 5, 8, 11]]

    def test_of_a_table_the_same_rows_are_read_as_of_lines(self, run, model_of, tmp_path):
        rows = numbered_rows(12)
        path = tmp_path / "data.parquet"
        datasets.Dataset.from_list(rows).to_parquet(str(path))
        saved = tmp_path / "data.json"
        saved.write_text(json.dumps(rows))
        for data in (path, saved):
            model = model_of(lambda *_: 0)
            results = run(model, [TASK], {"data": str(data), "shard": "2/4"})
            assert evaluated_rows(results) == [1, 5]
            assert [s["doc"]["prompt"][0]["content"] for s in results["samples"][TASK]] == [
                "p1",
                "p5",
            ]

    @needs_chosen_samples
    def test_limit_and_samples_choose_within_a_part(self, evaluate):
        limited = evaluate(numbered_rows(14), shard="2/3", settings={"limit": 2})
        chosen = evaluate(numbered_rows(14), shard="2/3", settings={"samples": {TASK: [1, 3]}})
        assert evaluated_rows(limited) == [1, 7]
        assert evaluated_rows(chosen) == [7, 13]

    def test_a_part_without_rows_is_an_error_that_names_the_part(self, evaluate):
        with pytest.raises(DataError, match="shard 8/9: "):
            evaluate(numbered_rows(3), shard="8/9")

    def test_a_part_without_pairs_is_an_error_that_names_the_part(self, evaluate):
        with pytest.raises(DataError, match="shard 5/5: no pair is left"):
            evaluate(numbered_rows(5), shard="5/5")

    @pytest.mark.parametrize(
        "given", ["0/4", "5/4", "3", "1/0", "-1/4", "a/b", "", "1/4/2", "1.0/4", 0.25, [1, 4], True]
    )
    def test_what_is_no_part_is_refused(self, evaluate, given):
        with pytest.raises(
            ConfigurationError,
            match=r"shard=.*: give the shard's number .*, for example '1/16' to '16/16'",
        ):
            evaluate(numbered_rows(3), shard=given)


class TestLimitAndSamples:
    def test_limit_takes_the_first_documents_or_a_share_of_them(self, evaluate):
        first = evaluate(numbered_rows(12), settings={"limit": 5})
        share = evaluate(numbered_rows(12), settings={"limit": 0.5})
        assert evaluated_rows(first) == [0, 1, 2, 3, 5]
        assert evaluated_rows(share) == [0, 1, 2, 3, 5]
        assert first["n-samples"][TASK] == {"original": 10, "effective": 5}

    @needs_chosen_samples
    def test_samples_are_documents_by_their_position(self, evaluate):
        results = evaluate(numbered_rows(12), settings={"samples": {TASK: [0, 4, 9]}})
        assert evaluated_rows(results) == [0, 5, 11]

    @needs_chosen_samples
    def test_samples_are_chosen_for_each_task(self, evaluate):
        tasks = [TASK, "ultrafeedback_sharegpt"]
        samples = {TASK: [1], "ultrafeedback_sharegpt": [0, 2]}
        results = evaluate(numbered_rows(8), tasks, settings={"samples": samples})
        assert [evaluated_rows(results, task) for task in tasks] == [[1], [0, 2]]

    def test_metrics_are_of_the_chosen_documents(self, evaluate):
        rows = [
            texts_row(("long", 5), ("a", 1)),
            texts_row(("long", 1), ("a", 5)),
            texts_row(("long", 1), ("a", 5), ("bb", 3)),
        ]
        settings = {"samples": {TASK: [0, 2]}, "log_samples": False}
        results = evaluate(rows, settings=settings)["results"][TASK]
        assert results["acc,none"] == 0.5
        assert results["acc_pairs,none"] == 1 / 4


class TestChoices:
    @pytest.mark.parametrize("given", ["fine-grained", "score", "", ["overall"]])
    def test_an_unknown_preference_names_the_choices(self, evaluate, given):
        choices = "fine_grained, helpfulness, honesty, instruction_following, overall, truthfulness"
        with pytest.raises(ConfigurationError, match=f"nknown preference .*{choices}"):
            evaluate([raw_row()], preference=given)

    @pytest.mark.parametrize("given", ["double", "", True, 0.5, ["half"]])
    def test_an_unknown_rule_for_ties_names_the_choices(self, evaluate, given):
        with pytest.raises(ConfigurationError, match="ties.*half, wrong"):
            evaluate([raw_row()], ties=given)

    @pytest.mark.parametrize("given", ["1/3", "wide", -1, math.nan, math.inf, True])
    def test_a_gap_that_is_no_decimal_of_at_least_zero_is_refused(self, evaluate, given):
        with pytest.raises(ConfigurationError, match="min_gap=.*a number of at least 0"):
            evaluate([raw_row()], min_gap=given)

    def test_a_gap_that_no_pair_has_is_an_error(self, evaluate):
        with pytest.raises(DataError, match=r"no pair is left.*at least 4.5 apart"):
            evaluate([raw_row()], min_gap=4.5)

    @pytest.mark.parametrize(
        ("key", "meant"), [("preferences", "preference"), ("gap", "min_gap"), ("tie", "ties")]
    )
    def test_a_near_miss_of_an_option_names_it(self, evaluate, key, meant):
        with pytest.raises(ConfigurationError, match=f"'{key}'; did you mean '{meant}'"):
            evaluate([raw_row()], **{key: "half"})


class TestResults:
    def options(self, results, task=TASK):
        metadata = results["configs"][task]["metadata"]
        return {name: metadata[name] for name in ("preference", "ties", "min_gap", "shard")}

    def test_options_that_were_not_given_stand_there_with_their_defaults(self, evaluate):
        assert self.options(evaluate([raw_row()])) == {
            "preference": "fine_grained",
            "ties": "half",
            "min_gap": 0.0,
            "shard": None,
        }

    def test_options_that_were_given_stand_there(self, evaluate):
        given = {"preference": "honesty", "ties": "wrong", "min_gap": "0.50", "shard": "1/2"}
        results = evaluate([raw_row()], **given)
        assert self.options(results) == {**given, "min_gap": 0.5}
        metadata = results["configs"][TASK]["metadata"]
        assert json.loads(json.dumps(metadata)) == metadata

    def test_null_stands_for_the_default(self, evaluate):
        nothing = dict.fromkeys(("preference", "ties", "min_gap", "shard"))
        assert self.options(evaluate([raw_row()], **nothing))["ties"] == "half"

    def test_options_choose_the_pairs_and_what_ties_earn(self, evaluate):
        # By honesty the short answer is better; its gap of 1 is below the last run's.
        rows = [
            row(
                completion("aaa", ["5", "3", "5", "5"], 3), completion("a", ["1", "4", "1", "1"], 9)
            ),
            row(completion("aa", "5", 9), completion("bb", "1", 3)),
        ]
        wanted = {
            "fine_grained": (None, 0.75),
            "overall": (None, 0.25),
            "honesty": (None, 0.25),
            "helpfulness": (2, 0.75),
        }
        for preference, (min_gap, accuracy) in wanted.items():
            results = evaluate(rows, preference=preference, min_gap=min_gap)["results"][TASK]
            assert results["acc,none"] == accuracy, preference
        wrong = evaluate(rows, preference="honesty", ties="wrong", min_gap=2)["results"][TASK]
        assert wrong["acc,none"] == 0.0

    def test_false_tens_are_left_out_of_overall_preferences_and_counted(self, evaluate, log):
        rows = [
            row(completion("aaa", "2", 10), completion("aa", "5", 9), completion("a", "4", 3)),
            row(completion("aaa", "3", 10), completion("aa", "2", 9)),
        ]
        overall = evaluate(rows, preference="overall")
        counts = overall["configs"][TASK]["metadata"]["counts"]
        assert (counts["completions_left_out_false_ten"], counts["pairs"]) == (1, 2)
        assert overall["results"][TASK]["acc,none"] == 1.0
        warned = [r.getMessage() for r in log if r.levelno == logging.WARNING]
        assert any("completions_left_out_false_ten" in line for line in warned)
        by_mean = evaluate(rows)["configs"][TASK]["metadata"]["counts"]
        assert "completions_left_out_false_ten" not in by_mean
        assert by_mean["pairs"] == 4


class TestOtherSchemas:
    SCORED = ({"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 8, "score_rejected": 5},)  # fmt: skip
    PLAIN = ({"prompt": "p", "chosen": "a", "rejected": "b"},)

    def test_a_preference_of_binarised_data_is_refused_with_the_choices(self, evaluate):
        with pytest.raises(
            ConfigurationError, match=r"preference.*'overall'.*Choose one of: score"
        ):
            evaluate(self.SCORED, ["ultrafeedback_binarized"], preference="overall")

    def test_the_only_rating_may_be_named(self, evaluate):
        results = evaluate(self.SCORED, ["ultrafeedback_binarized"], preference="score")
        metadata = results["configs"]["ultrafeedback_binarized"]["metadata"]
        assert metadata["preference"] == "score"

    def test_scores_have_gaps(self, evaluate):
        tasks = ["ultrafeedback_binarized"]
        assert evaluate(self.SCORED, tasks, min_gap=3)["n-samples"][tasks[0]]["effective"] == 1
        with pytest.raises(DataError, match="no pair is left"):
            evaluate(self.SCORED, tasks, min_gap=3.5)

    @pytest.mark.parametrize("given", [1, "0.5"])
    def test_plain_pairs_have_none(self, evaluate, given):
        with pytest.raises(ConfigurationError, match=r"min_gap=.*only chosen and rejected"):
            evaluate(self.PLAIN, ["ultrafeedback_binarized"], min_gap=given)

    def test_ties_and_shards_work_with_plain_pairs(self, evaluate, model_of):
        rows = [{"prompt": f"p{i}", "chosen": "a", "rejected": "b"} for i in range(5)]
        tasks = ["ultrafeedback_binarized"]
        results = evaluate(rows, tasks, ties="wrong", shard="2/2")
        assert evaluated_rows(results, tasks[0]) == [1, 3]
        assert results["results"][tasks[0]]["acc,none"] == 0.0


def rows_by_source(labels=LABELS):
    """Three prompts of each label, with accuracies of 0, 1/2 and 1 in different numbers."""
    rows = []
    for number, label in enumerate(label for group in labels.values() for label in group):
        for i in range(3):
            better = "aaaa" if (number + i) % 3 == 0 else "a" if (number * i) % 2 else "bb"
            rows.append(
                raw_row(
                    instruction=f"{label} {i}",
                    answers=((better, 5), ("cc", 1)),
                    source=label,
                )
            )
    return rows


class TestBySource:
    def test_the_group_shows_the_accuracy_of_all_prompts_alone(self, evaluate):
        results = evaluate(rows_by_source(), [GROUP, TASK])
        group, whole = results["results"][GROUP], results["results"][TASK]
        figures = {name: v for name, v in group.items() if name.endswith(",none")}
        assert set(figures) == {"acc,none", "acc_stderr,none"}
        assert figures["acc,none"] == pytest.approx(whole["acc,none"], abs=1e-12)
        assert 0 < whole["acc,none"] < 1
        assert figures == {n: v for n, v in results["groups"][GROUP].items() if n in figures}

    def test_its_standard_error_is_pooled_over_the_sources(self, evaluate):
        results = evaluate(rows_by_source(), [GROUP])
        squares, prompts = 0.0, 0
        for source in LABELS:
            values = [s["acc"] for s in by_task(results["samples"])[f"ultrafeedback_{source}"]]
            mean = sum(values) / len(values)
            squares += sum((value - mean) ** 2 for value in values)
            prompts += len(values)
        expected = math.sqrt(squares / (prompts - len(LABELS)) / prompts)
        assert results["results"][GROUP]["acc_stderr,none"] == pytest.approx(expected)

    def test_each_source_has_its_own_prompts_and_flan_those_of_all_its_labels(self, evaluate):
        results = evaluate(rows_by_source(), [GROUP])
        for source, labels in LABELS.items():
            samples = by_task(results["samples"])[f"ultrafeedback_{source}"]
            assert {sample["doc"]["source"] for sample in samples} == set(labels)
            assert len(samples) == 3 * len(labels)

    def test_a_label_that_only_starts_alike_is_another_source(self, evaluate):
        rows = [raw_row(source="flan"), raw_row(source="flange"), raw_row(source=None)]
        results = evaluate(rows, ["ultrafeedback_flan"])
        assert evaluated_rows(results, "ultrafeedback_flan") == [0]
        counts = results["configs"]["ultrafeedback_flan"]["metadata"]["counts"]
        assert counts["rows_of_other_sources"] == 2

    def test_a_source_that_the_data_do_not_have_is_an_error_naming_those_they_have(self, evaluate):
        labels = {name: of for name, of in LABELS.items() if name != "ultrachat"}
        names = "evol_instruct, false_qa, flan_v2_cot, flan_v2_niv2, sharegpt, truthful_qa"
        with pytest.raises(
            DataError, match=f"no prompts of source 'ultrachat'. Its sources: {names}"
        ):
            evaluate(rows_by_source(labels), [GROUP])

    def test_options_hold_for_every_source(self, evaluate):
        results = evaluate(rows_by_source(), [GROUP], ties="wrong", preference="helpfulness")
        for source in LABELS:
            metadata = by_task(results["configs"])[f"ultrafeedback_{source}"]["metadata"]
            assert (metadata["ties"], metadata["preference"]) == ("wrong", "helpfulness")

    def test_each_source_counts_its_own_undefined_metrics(self, evaluate):
        rows = rows_by_source()
        without = row(completion("a", ["5", "3", "3", "3"]), completion("b", ["1", "3", "3", "3"]))
        rows.append({**without, "source": "ultrachat"})
        configs = by_task(evaluate(rows, [GROUP, TASK])["configs"])
        counted = dict.fromkeys(("acc_honesty", "acc_truthfulness", "acc_helpfulness"), 1)
        assert configs["ultrafeedback_ultrachat"]["metadata"]["undefined"] == counted
        assert configs[TASK]["metadata"]["undefined"] == counted
        assert configs["ultrafeedback_sharegpt"]["metadata"]["undefined"] == {}


class TestTag:
    def test_it_stands_for_both_preference_tasks(self, evaluate):
        results = evaluate([raw_row()], ["ultrafeedback"])
        assert set(results["results"]) == {TASK, "ultrafeedback_binarized"}

    def test_a_text_of_several_tasks_is_scored_once_and_said_so(self, evaluate, model_of, log):
        model = model_of(lambda _, text: len(text))
        rows = [
            raw_row(instruction="p", answers=(("a", 5), ("bb", 1))),
            raw_row(instruction="p", answers=(("a", 1), ("ccc", 5))),
            raw_row(instruction="q", answers=(("a", 1), ("ccc", 5))),
        ]
        tasks = ["ultrafeedback", "ultrafeedback_sharegpt"]
        results = evaluate(rows, tasks, model=model)
        assert sorted(model.judge.calls) == ["a", "a", "bb", "ccc", "ccc"]
        assert (
            "Scoring 18 texts for ultrafeedback_binarized, ultrafeedback_pairs, "
            "ultrafeedback_sharegpt: 5 distinct."
        ) in [record.getMessage() for record in log]
        figures = [
            results["results"][task]["acc,none"] for task in (TASK, "ultrafeedback_sharegpt")
        ]
        assert figures == [pytest.approx(2 / 3)] * 2


class TestStoredMeans:
    def rows(self, *stored):
        rows = [raw_row(instruction=f"p{i}") for i in range(len(stored))]
        for one, mean in zip(rows, stored, strict=True):
            one["completions"][0]["fine-grained_score"] = mean
        return rows

    def test_one_that_differs_is_counted_warned_of_and_not_used(self, evaluate, log):
        results = evaluate(self.rows(5.0, 0.5, 4.5))
        counts = results["configs"][TASK]["metadata"]["counts"]
        assert counts["stored_means_differing"] == 2
        # By the stored 0.5 the other answer would be the chosen one.
        assert results["samples"][TASK][1]["doc"]["ratings"] == ["5", "1"]
        (warning,) = [r.getMessage() for r in log if "stored_means_differing" in r.getMessage() and r.levelno == logging.WARNING]  # fmt: skip
        assert "2 stored_means_differing" in warning
        assert "line 2" in warning
        assert "the mean is used" in warning

    def test_one_that_is_rounded_does_not_differ(self, evaluate, log):
        rows = self.rows(4.33)
        rows[0]["completions"][0]["annotations"]["honesty"]["Rating"] = "N/A"
        rows[0]["completions"][0]["annotations"]["helpfulness"]["Rating"] = "3"
        results = evaluate(rows)
        assert "stored_means_differing" not in results["configs"][TASK]["metadata"]["counts"]
        assert not [r for r in log if r.levelno == logging.WARNING]
