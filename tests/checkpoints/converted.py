"""Sources of conversions, the texts they are compared on, and transformers' own reading of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.reward_models.published import (
    athene,
    beaver,
    internlm2_reward,
    openrlhf,
    sequence_classification,
    starling,
)
from ultrarm_eval import load_judge
from ultrarm_eval.judges.conversion import Converted, convert

ANSWERS = (
    "",
    "It is 56.",
    "the answer is </s> one word",
    "  two spaces, and a line end \n",
    "日本語 العربية हिन्दी",
    "🙂 \U00012000 \ue000",
    "<|eot_id|><s>[INST] <|im_end|>",
    "the question about one word and the answer to it " * 8,
    "0123456789!?",
    "a\tb\r\n\r\nc",
)
PROMPTS: tuple[Any, ...] = (
    "What is 7 times 8?",
    "the question</s>",
    [
        {"role": "user", "content": "Name a river."},
        {"role": "assistant", "content": "The Elbe is one."},
        {"role": "user", "content": "And where does it end?"},
    ],
    "Write a list of words:\n- one\n- two",
    "",
)
TEXTS = [(prompt, answer) for prompt in PROMPTS for answer in ANSWERS]

#: How the source of a kind is written, beside UltraRM's, which is the fixture `checkpoint`.
KINDS: dict[str, Callable[[Path], Path]] = {
    "openrlhf": openrlhf.build,
    "internlm2-reward": internlm2_reward.build,
    "beaver-cost": lambda folder: beaver.build(folder, score_type="cost"),
    "beaver": beaver.build,
    "athene": athene.build,
    "starling": starling.build,
    "starling-34b": lambda folder: starling.build(folder, **starling.VARIANTS["34b"]),
    "openrlhf-pickled": lambda folder: openrlhf.build(folder, pickled=True, shards=2),
    "gemma2": sequence_classification.build,
    "pad-is-eos": lambda folder: sequence_classification.build(
        folder, **sequence_classification.VARIANTS["pad_is_eos"]
    ),
    "modernbert": lambda folder: sequence_classification.build(folder, family="modernbert"),
}


def converted(source: Path | str, folder: Path, **options: Any) -> Converted:
    """Converts, into files of at most 30,000 bytes where nothing else is said."""
    return convert(str(source), folder, **{"max_shard_bytes": 30_000, **options})


def judge_of(folder: Path | str, **settings: Any) -> Any:
    """The judge that takes a checkpoint."""
    return load_judge(str(folder), judge="auto", device="cpu", **settings)


def scores(judge: Any) -> list[float]:
    """The rewards of all texts."""
    prompts, answers = zip(*TEXTS, strict=True)
    return list(judge.score(list(prompts), list(answers)))


def texts_of(judge: Any) -> list[list[int]]:
    """The ids of all texts, as a judge gives them to its network."""
    return [list(judge.encoded(*text)) for text in TEXTS]


def stock_model(folder: Path, **options: Any) -> Any:
    """transformers' own class for sequence classification."""
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(folder, **options).eval()


def stock_scores(folder: Path, texts: list[list[int]], **options: Any) -> list[float]:
    """What that class says of ids, one text at a time."""
    model = stock_model(folder, **options)
    with torch.inference_mode():
        return [float(model(torch.tensor([ids])).logits.item()) for ids in texts]
