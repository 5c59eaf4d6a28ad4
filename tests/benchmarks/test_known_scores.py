"""Judges with known scores on every benchmark: perfect, wrong, constant."""

import math

import pytest

from tests.benchmarks import rows
from tests.benchmarks.conftest import figures_of

EVERY = (
    "rewardbench",
    "rewardbench2",
    "preference_test_sets",
    "preference_test_sets_uncounted",
    "llmbar",
    "judgebench",
    "rm_bench",
    "ppe_human",
    "ultrarm_paper",
)
# Figures that say nothing about the judge's accuracy.
BESIDE = ("tie_rate", "acc_longest")

each_benchmark = pytest.mark.parametrize("benchmark", EVERY)


class Data:
    """The files of all benchmarks, and which of their answers are right."""

    def __init__(self, folder):
        self.folder = folder
        self.right = set()
        self.path = {name: self._write(name) for name in EVERY}

    def _write(self, benchmark):
        path = self.folder / benchmark
        match benchmark:
            case "rewardbench":
                return rows.write_jsonl(path / "x.jsonl", self.chosen(rows.rewardbench(1)))
            case "rewardbench2":
                data = rows.rewardbench2(2)
                self.right |= {text for row in data for text in row["chosen"]}
                return rows.write_parquet(path / "x.parquet", data)
            case "preference_test_sets" | "preference_test_sets_uncounted":
                for name in (*rows.COUNTED_PREFERENCE_SETS, *rows.OTHER_PREFERENCE_SETS):
                    content = self.chosen(rows.preference_test_set(3, name))
                    rows.write_parquet(path / f"{name}.parquet", content)
            case "llmbar":
                for part in rows.write_llmbar(path, 4).values():
                    self.right |= {row[f"output_{row['label']}"] for row in part}
            case "judgebench":
                self.judgebench = rows.judgebench(5, "gpt") + rows.judgebench(5, "claude")
                self.right |= {r[f"response_{r['label'][0]}"] for r in self.judgebench}
                return rows.write_jsonl(path / "x.jsonl", self.judgebench)
            case "rm_bench":
                data = rows.rm_bench(6)
                self.right |= {text for row in data for text in row["chosen"]}
                return rows.write_json(path / "total_dataset.json", data)
            case "ppe_human":
                data = rows.ppe_human(7)
                number = {"model_a": 1, "model_b": 2}
                self.right |= {
                    r[f"response_{number[r['winner']]}"] for r in data if r["winner"] in number
                }
                return rows.write_parquet(path / "x.parquet", data)
            case "ultrarm_paper":
                self._write_paper_sets(path)
        return path

    def _write_paper_sets(self, path):
        data = {name: make(8) for name, make in rows.PAPER_SETS.items()}
        for name, content in data.items():
            rows.write_jsonl(path / f"{name}.jsonl", content)
        last = "\n\nAssistant: "
        self.right |= {row["chosen"].split(last)[-1] for row in data["anthropic_helpful"]}
        self.right |= {row[f"answer_{int(row['score_1'] > 0)}"] for row in data["webgpt"]}
        self.right |= {r["summaries"][r["choice"]]["text"].strip() for r in data["summarize"]}
        self.right |= {row[f"human_ref_{'BA'[row['labels']]}"] for row in data["shp"]}

    def chosen(self, content):
        self.right |= {row["chosen"] for row in content}
        return content

    def oracle(self, text):
        return float(text.strip() in self.right)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return Data(tmp_path_factory.mktemp("benchmarks"))


def accuracies(results):
    """Every figure of every task and group that is one of the judge's."""
    found = {}
    for task in results["results"]:
        for name, value in figures_of(results, task).items():
            if name not in BESIDE and not name.endswith("_stderr"):
                found[task, name] = value
    assert found
    return found


def tasks_of(results):
    return [task for task in results["results"] if task in results["configs"]]


@pytest.mark.few(5)
@each_benchmark
def test_an_oracle_gets_everything(evaluate, data, benchmark):
    results = evaluate(data.oracle, benchmark, data.path[benchmark])
    assert accuracies(results) == dict.fromkeys(accuracies(results), pytest.approx(1, abs=1e-12))
    for task in tasks_of(results):
        assert figures_of(results, task)["tie_rate"] == 0


@pytest.mark.few(2)
@each_benchmark
def test_an_oracle_upside_down_gets_nothing(evaluate, data, benchmark):
    results = evaluate(lambda text: -data.oracle(text), benchmark, data.path[benchmark])
    assert accuracies(results) == dict.fromkeys(accuracies(results), 0)


@pytest.mark.parametrize(
    ("sign", "score", "others"), [(1, 1.01, 1), (-1, -0.01, 0)], ids=["right", "wrong"]
)
def test_ties_go_a_hundredth_beyond_with_rewards_that_differ_a_little(
    evaluate, data, sign, score, others
):
    def reward(text):
        return sign * (1000 * data.oracle(text) + len(text) / 1000 + text.count("e") / 1e5)

    figures = figures_of(
        evaluate(reward, "rewardbench2_overall", data.path["rewardbench2"]), "rewardbench2_overall"
    )
    assert figures["ties"] == pytest.approx(score, abs=1e-9)
    assert figures["overall"] == pytest.approx((5 * others + score) / 6, abs=1e-9)


@pytest.mark.few(4)
@each_benchmark
def test_a_constant_judge_gets_what_the_rule_for_ties_gives(evaluate, data, benchmark):
    results = evaluate(lambda _: 0.25, benchmark, data.path[benchmark])
    for task in tasks_of(results):
        assert figures_of(results, task)["tie_rate"] == 1
    found = accuracies(results)
    match benchmark:
        case "llmbar" | "ppe_human" | "ultrarm_paper":
            assert found == dict.fromkeys(found, 0.5)
        case "rewardbench2":
            items = found.pop(("rewardbench2_overall", "acc"))
            assert 0 < items < 0.25
            assert found.pop(("rewardbench2_overall", "ties")) == 0
            assert found.pop(("rewardbench2_ties", "acc")) == 0
            overall = found.pop(("rewardbench2_overall", "overall"))
            assert overall == pytest.approx(5 / 4 / 6, abs=1e-12)
            assert found == dict.fromkeys(found, 0.25)
        case "judgebench":
            assert found == share_of_b(data.judgebench)
        case _:
            assert found == dict.fromkeys(found, 0)


def share_of_b(content):
    """A tie is the judgement B>A."""
    shares = {("judgebench", "acc"): content}
    for split, model in rows.JUDGEBENCH_MODELS.items():
        of_split = [row for row in content if row["response_model"] == model]
        shares["judgebench", split] = of_split
        for category, sources in rows.JUDGEBENCH_SOURCES.items():
            shares["judgebench", f"{split}_{category}"] = [
                row for row in of_split if row["source"] in sources
            ]
    return {
        name: pytest.approx(sum(row["label"] == "B>A" for row in of) / len(of), abs=1e-12)
        for name, of in shares.items()
    }


@pytest.mark.few(2)
@each_benchmark
def test_picking_the_longest_gets_the_figure_that_is_shown_beside(evaluate, data, benchmark):
    results = evaluate(lambda text: float(len(text)), benchmark, data.path[benchmark])
    for task in tasks_of(results):
        figures = figures_of(results, task)
        assert figures["acc"] == figures["acc_longest"]
        assert figures["acc_stderr"] == figures["acc_longest_stderr"]


def test_picking_the_longest_does_not_depend_on_the_judge(evaluate, data):
    path = data.path["rewardbench"]
    judges = (data.oracle, lambda text: math.sin(len(text)))
    longest = [
        figures_of(evaluate(judge, "rewardbench_overall", path), "rewardbench_overall")
        for judge in judges
    ]
    assert longest[0]["acc_longest"] == longest[1]["acc_longest"]
    assert longest[0]["acc"] != longest[1]["acc"]


def test_a_worse_judge_is_worse_in_every_section(evaluate, data):
    import hashlib

    def often(share):
        def reward(text):
            luck = int(hashlib.sha256(text.encode()).hexdigest(), 16) % 100
            return data.oracle(text) if luck < share else 0.5

        return reward

    better, worse = (
        figures_of(
            evaluate(often(share), "rewardbench_overall", data.path["rewardbench"]),
            "rewardbench_overall",
        )
        for share in (90, 30)
    )
    for name in ("chat", "chat_hard", "safety", "reasoning", "overall", "acc"):
        assert worse[name] < better[name]
