"""Rows in the schema each benchmark is published in, written here, with uneven subsets.

Every completion is a text of its own, so that a judge may give rewards by the completion alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

Row = dict[str, Any]

REWARDBENCH_SECTIONS = {
    "Chat": (
        "alpacaeval-easy",
        "alpacaeval-length",
        "alpacaeval-hard",
        "mt-bench-easy",
        "mt-bench-med",
    ),
    "Chat Hard": (
        "mt-bench-hard",
        "llmbar-natural",
        "llmbar-adver-neighbor",
        "llmbar-adver-GPTInst",
        "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ),
    "Safety": (
        "refusals-dangerous",
        "refusals-offensive",
        "xstest-should-refuse",
        "xstest-should-respond",
        "donotanswer",
    ),
    "Reasoning": (
        "math-prm",
        "hep-cpp",
        "hep-go",
        "hep-java",
        "hep-js",
        "hep-python",
        "hep-rust",
    ),
}
REWARDBENCH_SUBSETS = tuple(name for names in REWARDBENCH_SECTIONS.values() for name in names)
REWARDBENCH2_BEST_OF_FOUR = ("Factuality", "Precise IF", "Math", "Safety", "Focus")
REWARDBENCH2_SUBSETS = (*REWARDBENCH2_BEST_OF_FOUR, "Ties")
COUNTED_PREFERENCE_SETS = ("anthropic_helpful", "anthropic_hhh", "shp", "summarize")
OTHER_PREFERENCE_SETS = (
    "anthropic_harmless",
    "mtbench_gpt4",
    "mtbench_human",
    "pku_better",
    "pku_safer",
)
LLMBAR_FOLDERS = {
    "natural": "Natural",
    "neighbor": "Adversarial/Neighbor",
    "gptinst": "Adversarial/GPTInst",
    "gptout": "Adversarial/GPTOut",
    "manual": "Adversarial/Manual",
}
LLMBAR_IN_REWARDBENCH = {
    "natural": "llmbar-natural",
    "neighbor": "llmbar-adver-neighbor",
    "gptinst": "llmbar-adver-GPTInst",
    "gptout": "llmbar-adver-GPTOut",
    "manual": "llmbar-adver-manual",
}
JUDGEBENCH_MODELS = {"gpt": "gpt-4o-2024-05-13", "claude": "claude-3-5-sonnet-20240620"}
JUDGEBENCH_SOURCES = {
    "knowledge": ("mmlu-pro-law", "mmlu-pro-physics"),
    "reasoning": ("livebench-reasoning",),
    "math": ("livebench-math",),
    "coding": ("livecodebench",),
}
RM_BENCH_DOMAINS = ("chat", "code", "math", "safety-refuse", "safety-response")

_WORDS = [
    "river", "stone", "Ölberg", "quiet", "lantern", "seven", "copper", "window", "你好", "gentle",
    "orbit", "paper", "naïve", "engine", "garden", "maybe", "twelve", "salt", "amber",
]  # fmt: skip


class Texts:
    """Texts that do not occur twice."""

    def __init__(self, seed: int, tag: str) -> None:
        self.random = random.Random(f"{tag} {seed}")
        self._number = count()
        self._tag = tag

    def __call__(self, what: str) -> str:
        """A text of one to a dozen words, some of which are no ASCII."""
        words = self.random.choices(_WORDS, k=self.random.randint(1, 12))
        return f"{what} {self._tag} {next(self._number)}: {' '.join(words)}"

    def some(self, least: int, most: int) -> range:
        """As many as a subset has rows."""
        return range(self.random.randint(least, most))


def shuffled(rows: list[Row], seed: int) -> list[Row]:
    """The rows in another order, which the seed says."""
    return random.Random(seed).sample(rows, len(rows))


def rewardbench_row(text: Texts, subset: str, number: int) -> Row:
    return {
        "prompt": text("prompt"),
        "chosen": text("chosen"),
        "chosen_model": "human",
        "rejected": text("rejected"),
        "rejected_model": "some-model-7b",
        "subset": subset,
        "id": number,
    }


def rewardbench(seed: int, subsets: Sequence[str] = REWARDBENCH_SUBSETS) -> list[Row]:
    """The split `filtered` of allenai/reward-bench, two to nine rows a subset."""
    text = Texts(seed, "rb")
    names = [name for name in subsets for _ in text.some(2, 9)]
    text.random.shuffle(names)
    return [rewardbench_row(text, name, 30 + number) for number, name in enumerate(names)]


def rewardbench2_row(text: Texts, subset: str, ident: str, correct: int, wrong: int) -> Row:
    return {
        "id": ident,
        "prompt": text("prompt"),
        "chosen": [text("chosen") for _ in range(correct)],
        "rejected": [text("rejected") for _ in range(wrong)],
        "num_correct": correct,
        "num_incorrect": wrong,
        "total_completions": correct + wrong,
        "models": ["model-a", "model-b"],
        "subset": subset,
        "additional_metadata": {
            "category": None,
            "correct": None,
            "index": None,
            "instruction_id_list": None,
            "label": None,
            "method": "some",
            "models": ["model-a"],
            "prompt_norm": None,
            "subcategory": None,
            "valid": 1.0,
        },
    }


def rewardbench2_ties(seed: int) -> list[Row]:
    """The subset Ties: questions asked with one right answer, with several, and with both."""
    text = Texts(seed, "ties")
    rows = []
    for number in range(text.random.randint(8, 14)):
        right, wrong = text.random.randint(2, 6), text.random.randint(1, 7)
        rows += [
            rewardbench2_row(text, "Ties", f"ref:{number}", 1, wrong),
            rewardbench2_row(text, "Ties", f"tied:{number}", right, wrong),
        ]
    return [
        *rows,
        rewardbench2_row(text, "Ties", "ref:100", 1, 3),
        rewardbench2_row(text, "Ties", "tied:200", 3, 4),
    ]


def rewardbench2(seed: int) -> list[Row]:
    """The split `test` of allenai/reward-bench-2."""
    text = Texts(seed, "rb2")
    rows = [
        rewardbench2_row(text, subset, f"{subset[:2]}-{number}", 1, 3)
        for subset in REWARDBENCH2_BEST_OF_FOUR
        for number in text.some(3, 13)
    ]
    return shuffled(rows + rewardbench2_ties(seed), seed)


def preference_test_set(seed: int, name: str) -> list[Row]:
    """One split of allenai/preference-test-sets, some of it with several turns."""
    text = Texts(seed, name)
    rows = []
    for number in text.some(4, 15):
        turns = text.random.choice([1, 1, 3]) if name.startswith("anthropic") else 1
        prompt = [
            {"content": text("turn"), "role": "assistant" if turn % 2 else "user"}
            for turn in range(turns)
        ]
        rows.append(
            {
                "prompt": prompt,
                "chosen": text("chosen"),
                "rejected": text("rejected"),
                "subset": f"part {number % 2}",
                "id": number,
            }
        )
    return rows


def llmbar(seed: int, part: str) -> list[Row]:
    """One `dataset.json` of LLMBar; both labels occur."""
    text = Texts(seed, f"llmbar {part}")
    return [
        {
            "input": text("input"),
            "output_1": text("output"),
            "output_2": text("output"),
            "label": 1 if number == 0 else 2 if number == 1 else text.random.choice([1, 2]),
        }
        for number in text.some(3, 17)
    ]


def judgebench(seed: int, split: str) -> list[Row]:
    """One split of ScalerLab/JudgeBench; both labels occur in each category."""
    text = Texts(seed, f"judgebench {split}")
    rows = []
    for sources in JUDGEBENCH_SOURCES.values():
        for number in text.some(3, 11):
            source = sources[number % len(sources)]
            rows.append(
                {
                    "pair_id": f"{split}-{source}-{number}",
                    "original_id": f"{source}-{number}",
                    "source": source,
                    "question": text("question"),
                    "response_model": JUDGEBENCH_MODELS[split],
                    "response_A": text("response"),
                    "response_B": text("response"),
                    "label": ("A>B", "B>A", text.random.choice(["A>B", "B>A"]))[min(number, 2)],
                }
            )
    return shuffled(rows, seed)


def rm_bench(seed: int) -> list[Row]:
    """The file total_dataset.json of THU-KEG/RM-Bench."""
    text = Texts(seed, "rm-bench")
    rows = [
        {
            "id": f"{domain}-{number}",
            "prompt": text("prompt"),
            "chosen": [text(f"chosen {style}") for style in ("concise", "plain", "markdown")],
            "rejected": [text(f"rejected {style}") for style in ("concise", "plain", "markdown")],
            "domain": domain,
        }
        for domain in RM_BENCH_DOMAINS
        for number in text.some(2, 9)
    ]
    return shuffled(rows, seed)


def ppe_human(seed: int) -> list[Row]:
    """The split `test` of lmarena-ai/PPE-Human-Preference-V1; a third are no preference."""
    text = Texts(seed, "ppe")
    winners = ("model_a", "model_b", "tie", "model_b", "tie (bothbad)")
    rows = []
    for number in range(text.random.randint(20, 40)):
        first, second = text("response"), text("response")
        rows.append(
            {
                "question_id": f"question-{number}",
                "model_a": "model-x",
                "model_b": "model-y",
                "winner": winners[number] if number < 5 else text.random.choice(winners),
                "prompt": text("prompt"),
                "response_1": first,
                "response_2": second,
                "language": text.random.choice(["English", "Chinese", "German"]),
                "is_code": number % 4 == 0,
                "is_refusal": False,
                "hard_prompt": number % 3 == 0,
                "easy_prompt": number % 5 == 0,
                "if_prompt": number % 2 == 0,
                "math_prompt": number % 7 == 0,
                "length_a": len(first),
                "length_b": len(second),
            }
        )
    return rows


def hh_rlhf(seed: int) -> list[Row]:
    """A `test.jsonl` of Anthropic/hh-rlhf, conversations of one or several turns."""
    text = Texts(seed, "hh")
    rows = []
    for _ in range(text.random.randint(6, 16)):
        said = f"\n\nHuman: {text('asked')}"
        for _ in range(text.random.choice([0, 0, 1, 2])):
            said += f"\n\nAssistant: {text('said')}\n\nHuman: {text('asked')}"
        rows.append(
            {
                "chosen": f"{said}\n\nAssistant: {text('chosen')}",
                "rejected": f"{said}\n\nAssistant: {text('rejected')}",
            }
        )
    return rows


def webgpt(seed: int) -> list[Row]:
    """openai/webgpt_comparisons; some rows prefer neither answer."""
    text = Texts(seed, "webgpt")
    rows = []
    for number in range(text.random.randint(10, 20)):
        score = text.random.choice([-1.0, -0.33, 0.0, 0.33, 0.5, 1.0]) if number > 1 else 0.5
        rows.append(
            {
                "question": {"full_text": text("question"), "dataset": "eli5", "id": str(number)},
                "quotes_0": {"title": ["a title"], "extract": ["a line"]},
                "answer_0": text("answer"),
                "tokens_0": {"prefix": [1], "completion": [2]},
                "score_0": score,
                "quotes_1": {"title": ["a title"], "extract": ["a line"]},
                "answer_1": text("answer"),
                "tokens_1": {"prefix": [1], "completion": [3]},
                "score_1": -score,
            }
        )
    return rows


def summarize(seed: int) -> list[Row]:
    """`comparisons` of openai/summarize_from_feedback: posts, and articles of CNN/DM."""
    text = Texts(seed, "tldr")
    rows = []
    for number in range(text.random.randint(8, 18)):
        post = number % 4 != 1
        rows.append(
            {
                "info": {
                    "id": f"t3_{number}",
                    "post": text("post") if post else None,
                    "title": text("title") if post else None,
                    "subreddit": "relationships" if post else None,
                    "site": None if post else "cnn",
                    "article": None if post else text("article"),
                },
                "summaries": [
                    {"text": f" {text('summary')}", "policy": "ref", "note": None},
                    {"text": f" {text('summary')}", "policy": "sup2", "note": "short"},
                ],
                "choice": number % 2 if number < 2 else text.random.choice([0, 1]),
                "worker": "a worker",
                "batch": "batch7",
                "split": "valid1",
                "extra": {"confidence": 5},
            }
        )
    return rows


def shp(seed: int) -> list[Row]:
    """stanfordnlp/SHP; both labels occur."""
    text = Texts(seed, "shp")
    rows = []
    for number in range(text.random.randint(8, 18)):
        label = number % 2 if number < 2 else text.random.choice([0, 1])
        high, low = text.random.randint(10, 30), text.random.randint(1, 9)
        rows.append(
            {
                "post_id": f"post{number}",
                "domain": "askbaking_test",
                "upvote_ratio": 0.97,
                "history": text("history"),
                "c_root_id_A": f"a{number}",
                "c_root_id_B": f"b{number}",
                "created_at_utc_A": 1600000000,
                "created_at_utc_B": 1600000100,
                "score_A": high if label else low,
                "score_B": low if label else high,
                "human_ref_A": text("answer"),
                "human_ref_B": text("answer"),
                "labels": label,
                "seconds_difference": 100.0,
                "score_ratio": high / low,
            }
        )
    return rows


PAPER_SETS = {
    "anthropic_helpful": hh_rlhf,
    "webgpt": webgpt,
    "summarize": summarize,
    "shp": shp,
}


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Writes one row a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_json(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes one array, as LLMBar and RM-Bench do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(rows), ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes Parquet, as the hub has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def write_saved(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes a folder as `datasets` saves it."""
    import datasets

    datasets.Dataset.from_list(list(rows)).save_to_disk(str(path))
    return path


def write_llmbar(folder: Path, seed: int) -> dict[str, list[Row]]:
    """Writes LLMBar's folders as its repository has them."""
    parts = {part: llmbar(seed, part) for part in LLMBAR_FOLDERS}
    for part, rows in parts.items():
        write_json(folder / "Dataset" / "LLMBar" / LLMBAR_FOLDERS[part] / "dataset.json", rows)
    return parts
