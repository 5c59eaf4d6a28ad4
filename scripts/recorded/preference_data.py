"""Preference data, prompts and answers of every schema, with the quirks that real ones have."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
SOURCES = (
    "evol_instruct", "false_qa", "flan_v2_cot", "sharegpt", "truthful_qa", "ultrachat",
    "flan_v2_niv2", "sharegpt", "evol_instruct", "ultrachat", "truthful_qa", "false_qa",
)  # fmt: skip
MODELS = ("gpt-4", "llama-2-7b-chat", "alpaca-7b", "wizardlm-13b")
_WORDS = (
    "river", "stone", "quiet", "lantern", "seven", "copper", "window", "naïve", "你好", "gentle",
    "orbit", "paper", "engine", "garden", "maybe", "twelve", "salt", "amber", "1,024", "3.5",
    "`code`", "</s>", "**bold**", "Ölberg",
)  # fmt: skip


def write(folder: Path) -> None:
    """Writes all files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = random.Random("recorded")
    raw = [_raw(made, number) for number in range(12)]
    _write_jsonl(folder / "ultrafeedback.jsonl", raw)
    binarized = [_binarized(made, number) for number in range(10)]
    _write_jsonl(folder / "binarized.jsonl", binarized)
    _write_parquet(folder / "binarized.parquet", binarized)
    pairs = [_pair(made, number) for number in range(12)]
    _write_jsonl(folder / "pairs.jsonl", pairs)
    _write_jsonl(folder / "few_pairs.jsonl", pairs[:4])
    _write_jsonl(folder / "messages.jsonl", [_messages(made, number) for number in range(10)])
    _write_jsonl(folder / "wrong_field.jsonl", [{"prompt": "a", "good": "b", "bad": "c"}])
    _write_damaged(folder / "damaged.jsonl", raw[:3])

    prompts = [f"Question {number}: {_text(made)}?" for number in range(8)]
    eval_rows = [
        {"instruction": p, "output": _text(made), "generator": "g", "dataset": "d"} for p in prompts
    ]
    _write_json(folder / "alpaca_eval.json", eval_rows)
    outputs = [{"instruction": p, "output": _text(made), "generator": "model"} for p in prompts]
    outputs[2]["output"] = ""
    _write_json(folder / "alpaca_outputs.json", outputs)
    references = [{"prompt": p, "completion": _text(made)} for p in prompts]
    _write_jsonl(folder / "references.jsonl", references)
    generations = [
        {"prompt": p, "completion": _text(made), "reference": _text(made)}
        for p in [*prompts, prompts[0]]
    ]
    _write_jsonl(folder / "generations.jsonl", generations)
    asked = [{"question": p, "answer": _text(made)} for p in prompts[:5]]
    _write_jsonl(folder / "questions.jsonl", asked)
    sums = [
        {"question": f"What is {n} + {n + 2}?", "answer": f"Add.\n#### {2 * n + 2}"}
        for n in range(6)
    ]
    _write_jsonl(folder / "gsm8k.jsonl", sums)


def _text(made: random.Random, most: int = 14) -> str:
    return " ".join(made.choices(_WORDS, k=made.randint(1, most)))


def _raw(made: random.Random, number: int) -> Row:
    """UltraFeedback: four answers, some not rated by an aspect, equal or fewer than four."""
    answers = []
    for place, model in enumerate(MODELS[: 3 if number == 5 else 4]):
        rated = [str(made.randint(1, 5)) for _ in ASPECTS]
        if (number, place) in ((1, 0), (4, 2)):
            rated[1] = "N/A"
        if number == 7:
            rated = ["3"] * 4
        ratings = [int(rating) for rating in rated if rating != "N/A"]
        wrong = (number, place) == (9, 1)
        if wrong:
            rated, ratings = ["1"] * 4, [1] * 4
        answers.append(
            {
                "model": model,
                "principle": "helpfulness",
                "custom_system_prompt": "You are helpful.",
                "response": _text(made, 30),
                "annotations": {
                    aspect: {"Rating": rating, "Rationale": _text(made)}
                    for aspect, rating in zip(ASPECTS, rated, strict=True)
                },
                "critique": _text(made),
                # The first version's overall score of 10 that means 1.
                "overall_score": 10.0 if wrong else float(made.randint(1, 10)),
                "fine-grained_score": sum(ratings) / len(ratings),
            }
        )
    if number == 8:
        answers[1]["response"] = answers[0]["response"]
    return {
        "source": SOURCES[number],
        "instruction": f"Task {number}: {_text(made)}",
        "models": [answer["model"] for answer in answers],
        "completions": answers,
        "correct_answers": ["None"],
        "incorrect_answers": ["None"],
    }


def _binarized(made: random.Random, number: int) -> Row:
    prompt = f"Binarized {number}: {_text(made)}"
    chosen, rejected = _text(made, 25), _text(made, 25)
    scores = (8.5, 8.5) if number == 3 else (float(made.randint(6, 10)), made.randint(2, 11) / 2)
    if number == 6:
        rejected = chosen
    if number == 7:
        rejected = ""
    return {
        "prompt": prompt,
        "prompt_id": f"{number:064x}",
        "chosen": _turns(prompt, chosen),
        "rejected": _turns(prompt, rejected),
        "messages": _turns(prompt, chosen),
        "score_chosen": scores[0],
        "score_rejected": scores[1],
    }


def _pair(made: random.Random, number: int) -> Row:
    return {
        # Two rows ask the same.
        "prompt": f"Pair {number if number != 4 else 3}: {'' if number in (3, 4) else _text(made)}",
        "chosen": _text(made, 25),
        "rejected": _text(made, 25),
        "category": ("easy", "hard, long", None)[number % 3],
    }


def _messages(made: random.Random, number: int) -> Row:
    """Conversations: a system turn, several turns, ShareGPT's names, a contradiction."""
    asked = [{"role": "user", "content": f"Message {number}: {_text(made)}"}]
    if number % 3 == 1:
        asked.insert(0, {"role": "system", "content": f"Be {_text(made, 3)}."})
    if number % 4 == 2:
        asked += [
            {"role": "assistant", "content": _text(made)},
            {"role": "user", "content": f"And {_text(made)}?"},
        ]
    chosen: Any = [*asked, {"role": "assistant", "content": _text(made, 20)}]
    rejected: Any = [{"role": "assistant", "content": _text(made, 20)}]
    row: Row = {"prompt": asked, "chosen": chosen, "rejected": rejected}
    if number == 5:
        row["rejected"] = [{"from": "gpt", "value": _text(made)}]
    if number == 6:
        row["chosen"] = [{"role": "user", "content": "Something else?"}, chosen[-1]]
    if number == 8:
        row["system"] = "A column's system turn."
    return row


def _turns(prompt: str, answer: str) -> list[Row]:
    return [{"content": prompt, "role": "user"}, {"content": answer, "role": "assistant"}]


def _write_damaged(path: Path, rows: list[Row]) -> None:
    lost = json.loads(json.dumps(rows))
    lost[1]["completions"][0]["annotations"]["honesty"]["Rating"] = "many"
    lost[2]["instruction"] = None
    _write_jsonl(path, lost)


def _write_jsonl(path: Path, rows: Iterable[Row]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _write_json(path: Path, rows: list[Row]) -> None:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)
