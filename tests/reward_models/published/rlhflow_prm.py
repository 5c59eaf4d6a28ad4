"""RLHFlow's Llama3.1-8B-PRM: a conversation of steps, each answered by `+`.

Layout: `LlamaForCausalLM` without `auto_map`; `model.*` and `lm_head.weight`. Rules from
RLHFlow/RLHF-Reward-Modeling@fc39179 math-rm/prm_evaluate.py:

- user turns are the steps, stripped, the first one after the question and a space; every assistant
  turn is `+`, whatever the model thinks of the step.
- a step's value: softmax over the logits of `+` and `-` (the last ids of `encode("+")` and
  `encode("-")`, without a space) three tokens before the end of the conversation so far, which is
  the position that predicts `+`: the newlines after the assistant's header. The code runs one pass a
  step; a causal model gives the same in one pass over the whole conversation.
- one value over all steps: their mean (and math-rm/README.md).
- ssmisya/PRMBench@a1ae4ea mr_eval/models/llama3_1_8b_prm.py reads the same position, but the
  softmax of `+` (id 10) over the whole vocabulary: a wrong reading here, after the authors' code.

Not verified: the chat template of the published tokenizer (Llama 3.1's is used) and the number of
its files.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

GOOD, BAD = "+", "-"
VARIANTS = {"one_file": {"shards": 1}}
TEXTS = (
    ("What is 7 times 8?", ["7 times 8 is 56.", "The answer is 56."]),
    ("What is 7 times 8?", ["Take 8 from 60.", "It is 54, then."]),
    ("Add 1, 2\n\nand 3.", [" 1 + 2 = 3.\n", "3 +\n\n+ 3 = 6", "+"]),
)


def build(folder: Path, *, seed: int = 0, shards: int = 2) -> Path:
    """Writes the checkpoint."""
    from transformers import LlamaConfig, LlamaModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizers.save_llama_3(folder, template=tokenizers.LLAMA_31_TEMPLATE)
    config = configs.llama_31(tokenizer)
    files.save_config(folder, config)
    random = files.generator(seed)
    weights = files.backbone_weights(LlamaModel(LlamaConfig(**config)), random, prefix="model.")
    head = files.normal(random, config["vocab_size"], configs.HIDDEN, std=0.25)
    rows = [text_ids(folder, *text) for text in TEXTS]
    states = torch.cat(
        [_hidden(folder, weights, row)[_before_answers(folder, row)] for row in rows]
    )
    good, bad = _signs(folder)
    head[good] = head[bad] + files.telling_direction(states, random)
    weights["lm_head.weight"] = head
    files.save_safetensors(folder, weights, shards=shards)
    return folder


def turns(question: str, steps: list[str], answer: str = GOOD) -> list[dict[str, str]]:
    """The conversation: steps as user turns, the first after the question."""
    contents = [step.strip() for step in steps]
    contents[0] = f"{question} {contents[0]}"
    return [
        turn
        for content in contents
        for turn in (
            {"role": "user", "content": content},
            {"role": "assistant", "content": answer},
        )
    ]


def text_ids(folder: Path, prompt: str | list[dict[str, str]], steps: list[str]) -> list[int]:
    """The conversation's ids, with `+` after every step.

    Raises:
        ValueError: for a conversation of more than a user's turn: the code takes a question.
    """
    if not isinstance(prompt, str):
        if [turn["role"] for turn in prompt] != ["user"]:
            raise ValueError("RLHFlow's code takes one question, not a conversation")
        prompt = prompt[0]["content"]
    return tokenizers.rendered_ids(tokenizers.load(folder), turns(prompt, steps))


def reference(folder: Path, ids: list[int]) -> Reference:
    """The share of `+` where it is predicted, a value a step; their mean."""
    steps = _shares(folder, ids).tolist()
    return Reference(sum(steps) / len(steps), steps=steps)


def _hidden(folder: Path, weights: files.Tensors, ids: list[int]) -> torch.Tensor:
    from transformers import LlamaConfig, LlamaModel

    model = LlamaModel(LlamaConfig(**files.load_config(folder)))
    return files.hidden_states(model, files.below(weights, "model."), ids)


def _logits(folder: Path, ids: list[int]) -> torch.Tensor:
    """Logits [tokens, vocabulary]."""
    weights = files.load_weights(folder)
    return _hidden(folder, weights, ids) @ weights["lm_head.weight"].T


def _before_answers(folder: Path, ids: list[int]) -> list[int]:
    """The last token of every assistant header, which predicts the sign."""
    tokenizer = tokenizers.load(folder)
    header = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    pattern = tokenizer(header, add_special_tokens=False)["input_ids"]
    return [
        i + len(pattern) - 1
        for i in range(len(ids) - len(pattern))
        if ids[i : i + len(pattern)] == pattern
    ]


def _signs(folder: Path, words: tuple[str, str] = (GOOD, BAD)) -> list[int]:
    tokenizer = tokenizers.load(folder)
    return [tokenizer.encode(word)[-1] for word in words]


def _shares(
    folder: Path, ids: list[int], *, shift: int = 0, words: tuple[str, str] = (GOOD, BAD)
) -> torch.Tensor:
    """The first sign's share of the two, a value a step; the arguments are wrong readings."""
    at = [i + shift for i in _before_answers(folder, ids)]
    return _logits(folder, ids)[at][:, _signs(folder, words)].softmax(-1)[:, 0]


def _mean(values: torch.Tensor) -> float:
    return float(values.mean())


def _with_minus_answers(folder: Path, ids: list[int]) -> float:
    """Earlier steps answered by `-`."""
    minus = _signs(folder)[1]
    changed = list(ids)
    for i in _before_answers(folder, ids):
        changed[i + 1] = minus
    return _mean(_shares(folder, changed))


def _of_the_vocabulary(folder: Path, ids: list[int]) -> float:
    logits = _logits(folder, ids)[_before_answers(folder, ids)]
    return _mean(logits.softmax(-1)[:, _signs(folder)[0]])


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "- for +": lambda f, i: _mean(_shares(f, i, words=(BAD, GOOD))),
    "signs with a space": lambda f, i: _mean(_shares(f, i, words=(" +", " -"))),
    "at the sign itself": lambda f, i: _mean(_shares(f, i, shift=1)),
    "at the end of the turn": lambda f, i: _mean(_shares(f, i, shift=2)),
    "softmax over the vocabulary": _of_the_vocabulary,
    "earlier steps answered by -": _with_minus_answers,
    "BOS doubled": lambda f, i: _mean(_shares(f, i[:1] + i)),
    "the last step alone": lambda f, i: float(_shares(f, i)[-1]),
    "the minimum": lambda f, i: float(_shares(f, i).min()),
}
