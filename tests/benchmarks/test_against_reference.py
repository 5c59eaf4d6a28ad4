import pytest

from tests.benchmarks import reference, rows
from tests.benchmarks.conftest import assert_figures, figures_of, random_reward

# Few values make exact ties; a bonus makes a judge that is mostly right.
JUDGES = {
    "ties in a quarter of the pairs": random_reward(1, 4),
    "hardly any ties": random_reward(2, 1000),
    "mostly right": random_reward(3, 6, bonus=0.6),
    "nearly always right": random_reward(4, 5, bonus=0.7),
}

each_judge = pytest.mark.parametrize("reward", JUDGES.values(), ids=JUDGES)


def as_jsonl(folder, name, content):
    return rows.write_jsonl(folder / f"{name}.jsonl", content)


def as_parquet(folder, name, content):
    return rows.write_parquet(folder / f"{name}.parquet", content)


# The formats take turns.
each_judge_in_one_format = pytest.mark.parametrize(
    ("reward", "write"),
    list(zip(JUDGES.values(), [as_jsonl, as_parquet] * 2, strict=True)),
    ids=JUDGES,
)
each_format = pytest.mark.parametrize("write", [as_jsonl, as_parquet], ids=["JSONL", "Parquet"])


def unweighted(results, tasks, group):
    means = [figures_of(results, task)["acc"] for task in tasks]
    assert figures_of(results, group)["acc"] == pytest.approx(sum(means) / len(means), abs=1e-9)
    assert results["groups"][group]["acc,none"] == results["results"][group]["acc,none"]


# RewardBench


@each_judge_in_one_format
def test_rewardbench_sections_and_overall(evaluate, tmp_path, write, reward):
    data = rows.rewardbench(seed=11)
    path = write(tmp_path, "filtered", data)
    results = evaluate(reward, "rewardbench_overall", path)
    assert_figures(results, "rewardbench_overall", reference.rewardbench(data, reward))


def test_group_rewardbench_has_the_overall_task_and_one_for_each_subset(evaluate, tmp_path):
    data, reward = rows.rewardbench(seed=12), JUDGES["mostly right"]
    results = evaluate(reward, "rewardbench", as_parquet(tmp_path, "any name", data))
    assert_figures(results, "rewardbench_overall", reference.rewardbench(data, reward))
    for subset in rows.REWARDBENCH_SUBSETS:
        task = f"rewardbench_{subset.lower().replace('-', '_')}"
        assert_figures(results, task, reference.rewardbench_subset(data, subset, reward))
        assert results["results"][task]["alias"].strip(" -") == subset
    tasks = {name for name in results["configs"] if name.startswith("rewardbench_")}
    assert len(tasks) == 1 + len(rows.REWARDBENCH_SUBSETS) == 24


def test_rewardbench_with_half_for_ties_on_request(evaluate, tmp_path):
    data, reward = rows.rewardbench(seed=13), random_reward(5, 3)
    path = as_jsonl(tmp_path, "rewardbench", data)
    tasks = ["rewardbench_overall", "rewardbench_math_prm"]
    results = evaluate(reward, tasks, path, ties="half")
    assert_figures(results, tasks[0], reference.rewardbench(data, reward, tie=0.5))
    expected = reference.rewardbench_subset(data, "math-prm", reward, tie=0.5)
    assert_figures(results, tasks[1], expected)
    official = evaluate(reward, tasks, path)
    assert figures_of(official, tasks[0])["overall"] < figures_of(results, tasks[0])["overall"]


def test_a_rewardbench_section_is_over_the_subsets_that_occur(evaluate, tmp_path):
    some = ["alpacaeval-hard", "mt-bench-easy", "mt-bench-hard", "llmbar-adver-manual"]
    some += ["xstest-should-refuse", "donotanswer", "math-prm", "hep-go"]
    data, reward = rows.rewardbench(14, some), JUDGES["mostly right"]
    results = evaluate(reward, "rewardbench_overall", as_jsonl(tmp_path, "some", data))
    assert_figures(results, "rewardbench_overall", reference.rewardbench(data, reward))


def test_rewardbench_overall_is_not_available_without_a_section(evaluate, tmp_path):
    chat = rows.REWARDBENCH_SECTIONS["Chat"]
    data, reward = rows.rewardbench(15, chat), JUDGES["mostly right"]
    results = evaluate(reward, "rewardbench_overall", as_jsonl(tmp_path, "chat", data))
    missing = dict.fromkeys(["chat_hard", "safety", "reasoning", "overall"], "N/A")
    expected = {**reference.rewardbench(data, reward), **missing}
    assert_figures(results, "rewardbench_overall", expected)


# RewardBench 2


def with_items(data, reward):
    """The figures of the whole and the means over all items, Ties by right above wrong."""
    scores, longest, tied = [], [], []
    for row in data:
        right, wrong = row["chosen"], row["rejected"]
        for measure, into in ((reward, scores), (len, longest)):
            if row["subset"] == "Ties":
                into.append(float(min(map(measure, right)) > max(map(measure, wrong))))
            else:
                into.append(reference.one_in_k([measure(text) for text in (*right, *wrong)]))
        equal = [reward(a) == reward(b) for a in right for b in wrong]
        tied.append(sum(equal) / len(equal))
    return {
        **reference.rewardbench2(data, reward),
        **reference.over_items("acc", scores),
        **reference.over_items("acc_longest", longest),
        **reference.over_items("tie_rate", tied),
    }


@each_judge_in_one_format
def test_rewardbench2_subsets_and_overall(evaluate, tmp_path, write, reward):
    data = rows.rewardbench2(seed=21)
    path = write(tmp_path, "test", data)
    results = evaluate(reward, "rewardbench2", path)
    assert_figures(results, "rewardbench2_overall", with_items(data, reward))
    for subset in rows.REWARDBENCH2_SUBSETS:
        task = f"rewardbench2_{subset.lower().replace(' ', '_')}"
        assert_figures(results, task, reference.rewardbench2_subset(data, subset, reward))


@pytest.mark.parametrize("seed", range(2))
@each_judge
def test_ties_by_the_official_formula(evaluate, tmp_path, seed, reward):
    data = rows.rewardbench2_ties(seed)
    results = evaluate(reward, "rewardbench2_ties", as_jsonl(tmp_path, "ties", data))
    assert_figures(
        results, "rewardbench2_ties", reference.rewardbench2_subset(data, "Ties", reward)
    )


@pytest.mark.parametrize("kind", ["ref", "tied"])
def test_ties_with_one_kind_of_rows_counts_their_accuracy_alone(evaluate, tmp_path, kind):
    data = [row for row in rows.rewardbench2_ties(30) if row["id"].startswith(f"{kind}:")]
    reward = JUDGES["nearly always right"]
    results = evaluate(reward, "rewardbench2_ties", as_jsonl(tmp_path, "ties", data))
    accurate = [min(map(reward, r["chosen"])) > max(map(reward, r["rejected"])) for r in data]
    assert sum(accurate) > 0
    expected = pytest.approx(0.3 * sum(accurate) / len(data), abs=1e-12)
    assert figures_of(results, "rewardbench2_ties")["acc"] == expected


def test_rewardbench2_overall_is_not_available_without_a_subset(evaluate, tmp_path):
    data = [row for row in rows.rewardbench2(22) if row["subset"] not in ("Ties", "Focus")]
    reward = JUDGES["mostly right"]
    results = evaluate(reward, "rewardbench2_overall", as_jsonl(tmp_path, "four", data))
    missing = dict.fromkeys(["ties", "focus", "overall"], "N/A")
    assert_figures(results, "rewardbench2_overall", {**with_items(data, reward), **missing})


# RewardBench's prior sets


@each_judge_in_one_format
def test_prior_sets_and_their_unweighted_mean(evaluate, tmp_path, write, reward):
    every = {name: rows.preference_test_set(31, name) for name in rows.COUNTED_PREFERENCE_SETS}
    for name, data in every.items():
        write(tmp_path, name, data)
    assert len({len(data) for data in every.values()}) > 1
    results = evaluate(reward, "preference_test_sets", tmp_path)
    for name, data in every.items():
        task = f"preference_test_sets_{name}"
        assert_figures(results, task, reference.preference_test_set(data, reward))
    unweighted(results, [f"preference_test_sets_{name}" for name in every], "preference_test_sets")


def test_prior_sets_that_do_not_count_are_tasks_of_their_own(evaluate, tmp_path):
    reward = JUDGES["mostly right"]
    every = {name: rows.preference_test_set(32, name) for name in rows.OTHER_PREFERENCE_SETS}
    for name, data in every.items():
        as_parquet(tmp_path / "data", name, data)
    results = evaluate(reward, "preference_test_sets_uncounted", tmp_path)
    for name, data in every.items():
        task = f"preference_test_sets_{name}"
        assert_figures(results, task, reference.preference_test_set(data, reward))
    assert len(results["configs"]) == len(every)


def test_prior_sets_out_of_the_splits_of_a_saved_folder(evaluate, tmp_path):
    import datasets

    reward = JUDGES["mostly right"]
    every = {name: rows.preference_test_set(33, name) for name in rows.COUNTED_PREFERENCE_SETS}
    splits = {name: datasets.Dataset.from_list(data) for name, data in every.items()}
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "saved"))
    results = evaluate(reward, "preference_test_sets", tmp_path / "saved")
    for name, data in every.items():
        task = f"preference_test_sets_{name}"
        assert_figures(results, task, reference.preference_test_set(data, reward))


def test_all_turns_of_a_conversation_are_before_the_judge(run, model_of, tmp_path):
    data = rows.preference_test_set(31, "anthropic_helpful")
    path = as_parquet(tmp_path, "anthropic_helpful", data)
    seen = {}

    def reward(prompt, completion):
        seen[completion] = prompt
        return len(completion)

    task = "preference_test_sets_anthropic_helpful"
    run(model_of(reward), [task], {"data": str(path)})
    assert {len(row["prompt"]) for row in data} == {1, 3}
    for row in data:
        for completion in (row["chosen"], row["rejected"]):
            turns = [(m["role"], m["content"]) for m in seen[completion]]
            assert turns == [(m["role"], m["content"]) for m in row["prompt"]]


# LLMBar


@each_judge
def test_llmbar_in_its_repositorys_folders(evaluate, tmp_path, reward):
    parts = rows.write_llmbar(tmp_path, seed=41)
    results = evaluate(reward, "llmbar", tmp_path)
    for part, data in parts.items():
        assert_figures(results, f"llmbar_{part}", reference.llmbar(data, reward))
    adversarial = [f"llmbar_{part}" for part in parts if part != "natural"]
    assert len({len(data) for data in parts.values()}) > 2
    unweighted(results, adversarial, "llmbar_adversarial")


@each_format
def test_llmbar_in_files_that_are_called_as_its_parts(evaluate, tmp_path, write):
    reward = JUDGES["ties in a quarter of the pairs"]
    parts = {part: rows.llmbar(42, part) for part in rows.LLMBAR_FOLDERS}
    for part, data in parts.items():
        write(tmp_path, part, data)
    results = evaluate(reward, "llmbar", tmp_path)
    for part, data in parts.items():
        assert_figures(results, f"llmbar_{part}", reference.llmbar(data, reward))


@each_format
def test_llmbar_out_of_rewardbench_counts_half_for_a_tie(evaluate, tmp_path, write):
    data, reward = rows.rewardbench(seed=43), random_reward(6, 2)
    results = evaluate(reward, "llmbar", write(tmp_path, "filtered", data))
    for part, subset in rows.LLMBAR_IN_REWARDBENCH.items():
        expected = reference.rewardbench_subset(data, subset, reward, tie=0.5)
        assert_figures(results, f"llmbar_{part}", expected)


# JudgeBench


@each_judge_in_one_format
def test_judgebench_by_split_and_category(evaluate, tmp_path, write, reward):
    data = rows.judgebench(51, "gpt") + rows.judgebench(51, "claude")
    results = evaluate(reward, "judgebench", write(tmp_path, "both", data))
    assert_figures(results, "judgebench", reference.judgebench(data, reward))


@pytest.mark.parametrize(("split", "other"), [("gpt", "claude"), ("claude", "gpt")])
def test_judgebench_with_one_split_alone(evaluate, tmp_path, split, other):
    data, reward = rows.judgebench(52, split), JUDGES["ties in a quarter of the pairs"]
    name = f"dataset=judgebench,response_model={rows.JUDGEBENCH_MODELS[split]}"
    results = evaluate(reward, "judgebench", as_jsonl(tmp_path, name, data))
    missing = {f"{other}_{category}": "N/A" for category in rows.JUDGEBENCH_SOURCES}
    expected = {**reference.judgebench(data, reward), **missing, other: "N/A"}
    assert_figures(results, "judgebench", expected)


# RM-Bench


@each_judge
def test_rm_bench_domains_and_kinds_of_comparisons(evaluate, tmp_path, reward):
    data = rows.rm_bench(seed=61)
    path = rows.write_json(tmp_path / "total_dataset.json", data)
    results = evaluate(reward, "rm_bench", path)
    assert_figures(results, "rm_bench", reference.rm_bench(data, reward))


@each_format
def test_rm_bench_in_other_formats(evaluate, tmp_path, write):
    data, reward = rows.rm_bench(seed=62), JUDGES["mostly right"]
    results = evaluate(reward, "rm_bench", write(tmp_path, "total_dataset", data).parent)
    assert_figures(results, "rm_bench", reference.rm_bench(data, reward))


def test_rm_bench_out_of_a_saved_folder(evaluate, tmp_path):
    data, reward = rows.rm_bench(seed=63), JUDGES["mostly right"]
    results = evaluate(reward, "rm_bench", rows.write_saved(tmp_path / "saved", data))
    assert_figures(results, "rm_bench", reference.rm_bench(data, reward))


def test_rm_bench_without_a_domain_has_no_overall(evaluate, tmp_path):
    data = [row for row in rows.rm_bench(seed=64) if row["domain"] != "code"]
    reward = JUDGES["mostly right"]
    path = rows.write_json(tmp_path / "total_dataset.json", data)
    results = evaluate(reward, "rm_bench", path)
    missing = dict.fromkeys(["code", "easy", "normal", "hard", "overall"], "N/A")
    assert_figures(results, "rm_bench", {**reference.rm_bench(data, reward), **missing})


# PPE's human preferences


@each_judge_in_one_format
def test_ppe_over_the_votes_with_a_winner(evaluate, tmp_path, write, reward):
    data = rows.ppe_human(seed=71)
    results = evaluate(reward, "ppe_human", write(tmp_path, "ppe", data))
    assert_figures(results, "ppe_human", reference.ppe_human(data, reward))
    counts = results["configs"]["ppe_human"]["metadata"]["counts"]
    without = sum(row["winner"] not in ("model_a", "model_b") for row in data)
    left_out = {n: c for n, c in counts.items() if n.startswith("rows_left_out_winner_tie")}
    assert sum(left_out.values()) == without > 0


def test_ppe_with_nothing_for_ties_on_request(evaluate, tmp_path):
    data, reward = rows.ppe_human(seed=72), random_reward(7, 2)
    path = as_parquet(tmp_path, "ppe", data)
    results = evaluate(reward, "ppe_human", path, ties="wrong")
    assert_figures(results, "ppe_human", reference.ppe_human(data, reward, tie=0))


# The UltraFeedback paper's four sets


@each_judge_in_one_format
def test_paper_sets_and_their_unweighted_mean(evaluate, tmp_path, write, reward):
    every = {name: make(81) for name, make in rows.PAPER_SETS.items()}
    for name, data in every.items():
        write(tmp_path, name, data)
    results = evaluate(reward, "ultrarm_paper", tmp_path)
    for name, data in every.items():
        expected = reference.PAPER_SETS[name](data, reward)
        assert_figures(results, f"ultrarm_paper_{name}", expected)
    unweighted(results, [f"ultrarm_paper_{name}" for name in every], "ultrarm_paper")


@pytest.mark.parametrize("name", rows.PAPER_SETS)
def test_paper_sets_in_the_plain_form(evaluate, tmp_path, name):
    data, reward = rows.preference_test_set(82, name), JUDGES["mostly right"]
    task = f"ultrarm_paper_{name}"
    results = evaluate(reward, task, as_jsonl(tmp_path, name, data), ties="wrong")
    assert_figures(results, task, reference.preference_test_set(data, reward))


def test_transcripts_that_say_nothing_are_left_out_and_counted(evaluate, tmp_path):
    data, reward = rows.hh_rlhf(seed=83), JUDGES["mostly right"]
    same = {"chosen": data[0]["chosen"], "rejected": data[0]["chosen"]}
    other = {"chosen": data[0]["chosen"], "rejected": data[1]["rejected"]}
    path = as_jsonl(tmp_path, "anthropic_helpful", [same, *data, other])
    task = "ultrarm_paper_anthropic_helpful"
    results = evaluate(reward, task, path)
    assert_figures(results, task, reference.hh_rlhf(data, reward))
    counts = results["configs"][task]["metadata"]["counts"]
    assert counts["rows_left_out_identical_answers"] == 1
    assert counts["rows_left_out_different_conversations"] == 1


def test_webgpt_without_a_preference_is_left_out_and_counted(evaluate, tmp_path):
    data = rows.webgpt(seed=84)
    path = as_parquet(tmp_path, "webgpt", data)
    results = evaluate(JUDGES["mostly right"], "ultrarm_paper_webgpt", path)
    counts = results["configs"]["ultrarm_paper_webgpt"]["metadata"]["counts"]
    assert counts["rows_left_out_equal_scores"] == sum(row["score_0"] == 0 for row in data) > 0


def test_the_prompt_of_a_summary_is_the_post_or_the_article(run, model_of, tmp_path):
    data = rows.summarize(seed=85)
    path = as_jsonl(tmp_path, "summarize", data)
    seen = {}

    def reward(prompt, completion):
        seen[completion] = prompt[-1]["content"]
        return len(completion)

    run(model_of(reward), ["ultrarm_paper_summarize"], {"data": str(path)})
    assert {row["info"]["post"] is None for row in data} == {True, False}
    for row in data:
        text, info = seen[row["summaries"][0]["text"].strip()], row["info"]
        assert text.endswith("\n\nTL;DR:")
        if info["post"] is None:
            assert text.startswith(info["article"])
        else:
            for part in (info["subreddit"], info["title"], info["post"]):
                assert part in text
