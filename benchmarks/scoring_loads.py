"""What the scoring benchmarks score: token ids, by a seed, from lengths or from files of texts."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import JsonLines
from ultrarm_eval.messages import as_plain_text, well_formed
from ultrarm_eval.sources.binarized import BINARIZED, PLAIN
from ultrarm_eval.sources.preference_data import open_named_or_local

BOS = 1
MAX_LENGTH = 2048
COMPLETIONS = 4
# Means 185 and 305 tokens (openbmb/UltraFeedback), the spread of their logarithms, and limits
# that keep a text within MAX_LENGTH.
PROMPT_LENGTH, ANSWER_LENGTH = (185, 1.0, 8, 1000), (305, 0.8, 4, 1000)
# PPE's best-of-K sets (lmarena-ai/PPE-*-Best-of-K): 32 answers a prompt. Their texts are not at
# hand; the means are estimated from the sizes that the data sets' cards state (28 MB of MATH and
# 29 MB of GPQA for 512 rows, so some 1,600 characters an answer).
BEST_OF = 32
PPE_PROMPT_LENGTH, PPE_ANSWER_LENGTH = (160, 0.7, 8, 1000), (400, 0.5, 4, 1000)
# Long shared prompts: documents, conversations of many turns, few-shot examples.
LONG_PROMPT_LENGTH, SHORT_ANSWER_LENGTH = (1200, 0.2, 600, 1600), (100, 0.6, 4, 400)
_HEAD, _BETWEEN = "Human: ", "\n\nAssistant: "
_VOCABULARY = 8000
# A line that is longer than the trainer allows would silently not be learnt from.
_LONGEST_LINE = 1 << 20

TextIds = tuple[int, ...]
#: The mean number of tokens, the spread of its logarithm, and the least and most.
Lengths = tuple[float, float, int, int]
#: A prompt and its answers.
Conversation = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Load:
    """Distinct texts, and how a pairwise script meets them.

    Attributes:
        texts: Token ids of each text, no two the same.
        context_lengths: How many of a text's first tokens are its prompt's.
        pairs: The texts that are compared, by their numbers.
        prompts: How many prompts there are.
    """

    texts: list[TextIds]
    context_lengths: list[int]
    pairs: list[tuple[int, int]]
    prompts: int


def draw_length(
    draw: np.random.Generator, mean: float, spread: float, least: int, most: int
) -> int:
    """A lognormal length of a given mean; the limits are wide and hardly move it."""
    return int(np.clip(draw.lognormal(np.log(mean) - spread**2 / 2, spread), least, most))


def ultrafeedbacks_lengths(prompts: int, vocabulary: int, seed: int) -> Load:
    """Random token ids: prompts with four answers each, and all pairs of answers of a prompt."""
    return random_texts(prompts, vocabulary, seed, COMPLETIONS, PROMPT_LENGTH, ANSWER_LENGTH)


def ppes_shape(prompts: int, vocabulary: int, seed: int) -> Load:
    """Random token ids: prompts with 32 answers each, of which a judge is to find the best."""
    return random_texts(prompts, vocabulary, seed, BEST_OF, PPE_PROMPT_LENGTH, PPE_ANSWER_LENGTH)


def long_prompts(prompts: int, vocabulary: int, seed: int) -> Load:
    """Random token ids: long prompts with four short answers each."""
    return random_texts(
        prompts, vocabulary, seed, COMPLETIONS, LONG_PROMPT_LENGTH, SHORT_ANSWER_LENGTH
    )


def random_texts(
    prompts: int, vocabulary: int, seed: int, answers: int, prompt: Lengths, answer: Lengths
) -> Load:
    """Random token ids of given lengths, and all pairs of answers of a prompt."""
    draw = np.random.default_rng(seed)

    def ids(length: Lengths) -> list[int]:
        drawn: list[int] = draw.integers(3, vocabulary, draw_length(draw, *length)).tolist()
        return drawn

    texts: list[TextIds] = []
    contexts: list[int] = []
    pairs: list[tuple[int, int]] = []
    for _ in range(prompts):
        context = (BOS, *ids(prompt))
        first = len(texts)
        texts += [(*context, *ids(answer)) for _ in range(answers)]
        contexts += [len(context)] * answers
        pairs += combinations(range(first, first + answers), 2)
    return Load(texts, contexts, pairs, prompts)


#: Loads that need no file, by name.
RANDOM_LOADS = {
    "ultrafeedback": ultrafeedbacks_lengths,
    "best_of_n": ppes_shape,
    "long_prompts": long_prompts,
}


def read_pairs(path: Path) -> list[Conversation]:
    """Prompts with two answers, chosen and rejected, of the pairs that the package would judge."""
    data = open_named_or_local(str(path), "train", (BINARIZED, PLAIN))
    counts = DataCounts()
    records = (data.record(i, row, counts) for i, row in data.rows.read(range(len(data.rows))))
    return [
        (as_plain_text(record.prompt), tuple(c.text for c in record.completions))
        for record in records
        if record is not None
    ]


def read_completions(path: Path) -> list[Conversation]:
    """Prompts with all their answers, from lines with `instruction` and `completions`."""
    return [
        (
            well_formed(row["instruction"]),
            tuple(well_formed(completion["response"]) for completion in row["completions"]),
        )
        for row in JsonLines(path)
    ]


def sample(
    conversations: Sequence[Conversation], limit: int | None, seed: int
) -> list[Conversation]:
    """A seeded sample in the data's order; everything if there is no limit or less than it."""
    if limit is None or limit >= len(conversations):
        return list(conversations)
    chosen = random.Random(seed).sample(range(len(conversations)), limit)
    return [conversations[i] for i in sorted(chosen)]


def tokenised(conversations: Iterable[Conversation], tokenizer: Any) -> Load:
    """Writes and tokenises every answer behind its prompt; all pairs of a prompt's answers.

    Answers that make the same tokens are one text, and no pair with each other.

    Args:
        conversations: Prompts and answers.
        tokenizer: A sentencepiece processor.
    """
    numbers: dict[TextIds, int] = {}
    contexts: list[int] = []
    pairs: list[tuple[int, int]] = []
    prompts = 0
    for prompt, answers in conversations:
        prompts += 1
        before = f"{_HEAD}{prompt}{_BETWEEN}"
        context: list[int] = tokenizer.encode(before)
        found = []
        for ids in tokenizer.encode([before + answer for answer in answers]):
            # The last tokens of the context may join the answer's first ones.
            own = max(1, len(ids) - _common_length(context, ids))
            text = (BOS, *ids[-(MAX_LENGTH - 1) :])
            number = numbers.setdefault(text, len(numbers))
            if number == len(contexts):
                contexts.append(max(1, len(text) - own))
            found.append(number)
        pairs += [pair for pair in combinations(found, 2) if pair[0] != pair[1]]
    return Load(list(numbers), contexts, pairs, prompts)


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    for length, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return length
    return min(len(first), len(second))


def train_tokenizer(texts: Iterable[str], folder: Path) -> Path:
    """Trains a sentencepiece tokenizer of Llama's make, always the same for the same texts.

    No public tokenizer is at hand offline. With 8,000 pieces it makes somewhat more tokens of a
    text than Llama's 32,000 would; every way scores the same ids, so ratios hardly depend on it.

    Args:
        texts: What it learns from.
        folder: Where `tokenizer.model` is written.
    """
    import sentencepiece

    path = folder / "tokenizer.model"
    with path.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            # Line by line: as in Llama's, a line break is a byte and never part of a piece.
            sentence_iterator=(line for text in texts for line in text.split("\n") if line),
            model_writer=file,
            vocab_size=_VOCABULARY,
            # Few texts do not hold that many pieces.
            hard_vocab_limit=False,
            model_type="bpe",
            byte_fallback=True,
            unk_id=0,
            bos_id=BOS,
            eos_id=2,
            pad_id=-1,
            split_digits=True,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=_LONGEST_LINE,
            num_threads=1,
            minloglevel=2,
        )
    return path


def load_from_file(name: str, path: Path, limit: int | None, seed: int) -> Load:
    """The load `pairs` or `four` of a JSON Lines file.

    The tokenizer learns from the whole file, so that a text's ids do not depend on the sample.
    """
    import sentencepiece

    conversations = read_pairs(path) if name == "pairs" else read_completions(path)
    with tempfile.TemporaryDirectory() as folder:
        model = train_tokenizer(
            (text for prompt, answers in conversations for text in (prompt, *answers)),
            Path(folder),
        )
        tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(model))
    return tokenised(sample(conversations, limit, seed), tokenizer)
