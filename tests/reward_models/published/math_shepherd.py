"""Math-Shepherd: a causal LM's `+` against `-` at the tag after each step.

Layout: `MistralForCausalLM` without `auto_map`; `model.*` and `lm_head.weight`, pickled in shards
[format not verified]; sentencepiece BPE that puts `<s>` and a leading space before every text.
Rules from the model card of peiyi9979/math-shepherd-mistral-7b-prm, as
ssmisya/PRMBench@a1ae4ea mr_eval/models/math_shepherd.py and other public scripts run it:

- text: question, a space, and the steps, each ended by " ки", with newlines between; no template.
  Its steps begin "Step 1: ", as the training data's do: PRMBench adds that where it is missing, the
  card has it in its text. Here steps are given with it.
- tag: the last id of `encode("ки")`, the word with its leading space (12902).
- candidates: the ids of `encode("+ -")` after BOS, both with their leading space (648, 387).
- a step's value: softmax over the two logits at the tag's own position, the share of `+`.
- one value over all steps: the minimum (arXiv 2312.08935) [not verified in code].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

TAG, GOOD, BAD = "ки", "+", "-"
VARIANTS = {"safetensors": {"pickled": False}}
TEXTS = (
    ("What is 7 times 8?", ["Step 1: 7 times 8 is 56.", "Step 2: The answer is: 56"]),
    ("What is 7 times 8?", ["Step 1: Take 8 from 60.", "Step 2: The answer is: 54"]),
    ("Add 1, 2\nand 3.", ["Step 1: 1 + 2 = 3.", "Step 2: 3 + 3 = 6.", "Step 3: 7 - 1 = 6"]),
)


def build(folder: Path, *, seed: int = 0, pickled: bool = True) -> Path:
    """Writes the checkpoint."""
    from transformers import MistralConfig, MistralModel

    folder.mkdir(parents=True, exist_ok=True)
    config = configs.mistral(tokenizers.save_mistral(folder))
    files.save_config(folder, config)
    random = files.generator(seed + 2)
    model = MistralModel(MistralConfig(**config))
    weights = files.backbone_weights(model, random, prefix="model.")
    head = files.normal(random, config["vocab_size"], configs.HIDDEN, std=0.25)
    rows = [text_ids(folder, *text) for text in TEXTS]
    states = torch.cat([_hidden(folder, weights, row)[_tags(folder, row)] for row in rows])
    good, bad = _candidates(folder)
    head[good] = head[bad] + files.telling_direction(states, random)
    weights["lm_head.weight"] = head
    save = files.save_pickles if pickled else files.save_safetensors
    save(folder, weights, shards=2)
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], steps: list[str]) -> list[int]:
    """BOS, question, a space and the tagged steps.

    Raises:
        ValueError: for a conversation of more than a user's turn: the card has none.
    """
    if not isinstance(prompt, str):
        if [turn["role"] for turn in prompt] != ["user"]:
            raise ValueError("Math-Shepherd's code takes one question, not a conversation")
        prompt = prompt[0]["content"]
    text = f"{prompt} " + "\n".join(f"{step} {TAG}" for step in steps)
    return list(tokenizers.load(folder).encode(text))


def reference(folder: Path, ids: list[int]) -> Reference:
    """The share of `+` at every tag; their minimum."""
    steps = _shares(folder, ids).tolist()
    return Reference(min(steps), steps=steps)


def _hidden(folder: Path, weights: files.Tensors, ids: list[int]) -> torch.Tensor:
    from transformers import MistralConfig, MistralModel

    model = MistralModel(MistralConfig(**files.load_config(folder)))
    return files.hidden_states(model, files.below(weights, "model."), ids)


def _logits(folder: Path, ids: list[int]) -> torch.Tensor:
    """Logits [tokens, vocabulary]."""
    weights = files.load_weights(folder)
    return _hidden(folder, weights, ids) @ weights["lm_head.weight"].T


def _tags(folder: Path, ids: list[int]) -> list[int]:
    tag = tokenizers.load(folder).encode(TAG)[-1]
    return [i for i, token in enumerate(ids) if token == tag]


def _candidates(folder: Path) -> list[int]:
    return list(tokenizers.load(folder).encode(f"{GOOD} {BAD}")[1:])


def _shares(
    folder: Path, ids: list[int], *, shift: int = 0, candidates: list[int] | None = None
) -> torch.Tensor:
    """The first candidate's share of the two, a value a tag; the arguments are wrong readings."""
    at = [i + shift for i in _tags(folder, ids)]
    return _logits(folder, ids)[at][:, candidates or _candidates(folder)].softmax(-1)[:, 0]


def _without_spaces(folder: Path) -> list[int]:
    """The candidates without their leading spaces: other tokens of the vocabulary."""
    return list(tokenizers.load(folder).convert_tokens_to_ids([GOOD, BAD]))


def _of_the_vocabulary(folder: Path, ids: list[int]) -> float:
    probabilities = _logits(folder, ids)[_tags(folder, ids)].softmax(-1)
    return float(probabilities[:, _candidates(folder)[0]].min())


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "- for +": lambda f, i: float(_shares(f, i, candidates=_candidates(f)[::-1]).min()),
    "candidates without a space": lambda f, i: float(
        _shares(f, i, candidates=_without_spaces(f)).min()
    ),
    "the token before the tag": lambda f, i: float(_shares(f, i, shift=-1).min()),
    "softmax over the vocabulary": _of_the_vocabulary,
    "sigmoid of the logit of +": lambda f, i: float(
        _logits(f, i)[_tags(f, i)][:, _candidates(f)[0]].sigmoid().min()
    ),
    "without BOS": lambda f, i: float(_shares(f, i[1:]).min()),
    "BOS doubled": lambda f, i: float(_shares(f, i[:1] + i).min()),
    "the first step alone": lambda f, i: float(_shares(f, i)[0]),
    "the last step alone": lambda f, i: float(_shares(f, i)[-1]),
}
