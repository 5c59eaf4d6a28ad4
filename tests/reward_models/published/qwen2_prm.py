r"""Qwen2.5-Math-PRM: a two-class MLP read at the token after each step.

Layout: `Qwen2ForProcessRewardModel` with `auto_map`, model_type qwen2; `model.*`, `score.0.*` and
`score.2.*`, both biased, ReLU between, two classes. Rules and sources:

- system, user and assistant turns by the chat template; `<extra_0>` after every step, the last one
  too; softmax of the two logits at each `<extra_0>`, class 1: model card of
  Qwen/Qwen2.5-Math-PRM-7B, as ssmisya/PRMBench@a1ae4ea mr_eval/models/qwen_prm.py runs it.
- system turn "Please reason step by step, and put your final answer within \boxed{}.": the same.
  The template puts it where a conversation has none [not verified for the PRM's tokenizer].
- one value over all steps: the product, as the project's paper (arXiv 2501.07301) is cited for
  best-of-N [not verified in code].
- files may carry an `lm_head.weight` that nothing reads: vLLM ignores that prefix for this class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

SEPARATOR = "<extra_0>"
SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
VARIANTS = {"lm_head": {"lm_head": True}, "one_file": {"shards": 1}}
TEXTS = (
    ("What is 7 times 8?", ["7 times 8 is 56.", "The answer is 56."]),
    ("What is 7 times 8?", ["Take 8 from 60.", "It is 54, then."]),
    ("Add 1, 2 and 3.\nThen halve.", ["1 + 2 = 3.", "3 + 3 = 6.", "Half of 6\nis 3."]),
)


def build(folder: Path, *, seed: int = 0, shards: int = 2, lm_head: bool = False) -> Path:
    """Writes the checkpoint."""
    from transformers import Qwen2Config, Qwen2Model

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizers.save_byte_level(
        folder,
        special_tokens=tokenizers.QWEN_TOKENS,
        template=tokenizers.QWEN_MATH_TEMPLATE,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    config = configs.qwen_25_math(
        tokenizer,
        architectures=["Qwen2ForProcessRewardModel"],
        auto_map={
            "AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig",
            "AutoModel": "modeling_qwen2_rm.Qwen2ForProcessRewardModel",
        },
    )
    files.save_config(folder, config)
    random, size = files.generator(seed + 10), configs.HIDDEN
    weights = files.backbone_weights(Qwen2Model(Qwen2Config(**config)), random, prefix="model.")
    weights["score.0.weight"] = files.normal(random, size, size, std=0.25)
    weights["score.0.bias"] = files.normal(random, size, std=0.5)
    weights["score.2.weight"] = files.normal(random, 2, size, std=0.2)
    rows = [text_ids(folder, *text) for text in TEXTS]
    inner = torch.cat([_inner(folder, weights, row) for row in rows])
    weights["score.2.weight"][1] = weights["score.2.weight"][0] + files.telling_direction(
        inner, random
    )
    weights["score.2.bias"] = torch.tensor([0.7, 0.2])
    if lm_head:
        weights["lm_head.weight"] = files.normal(random, config["vocab_size"], size, std=0.2)
    files.save_safetensors(folder, weights, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], steps: list[str]) -> list[int]:
    """The conversation's ids, with the separator after every step."""
    turns = tokenizers.conversation(prompt, "".join(step + SEPARATOR for step in steps))
    if turns[0]["role"] != "system":
        turns.insert(0, {"role": "system", "content": SYSTEM})
    return tokenizers.rendered_ids(tokenizers.load(folder), turns)


def reference(folder: Path, ids: list[int]) -> Reference:
    """The probability of class 1 at every separator; their product."""
    steps = [float(logits.softmax(-1)[1]) for logits in _at_separators(folder, ids)]
    return Reference(math.prod(steps), steps=steps)


def _inner(
    folder: Path,
    weights: files.Tensors,
    ids: list[int],
    *,
    shift: int = 0,
    activation: bool = True,
    bias: bool = True,
) -> torch.Tensor:
    """What the second linear layer reads [steps, hidden]."""
    from transformers import Qwen2Config, Qwen2Model

    model = Qwen2Model(Qwen2Config(**files.load_config(folder)))
    hidden = files.hidden_states(model, files.below(weights, "model."), ids)
    separator = tokenizers.load(folder).convert_tokens_to_ids(SEPARATOR)
    at = [i + shift for i, token in enumerate(ids) if token == separator]
    inner = hidden[at] @ weights["score.0.weight"].T + weights["score.0.bias"] * bias
    return inner.relu() if activation else inner


def _at_separators(
    folder: Path, ids: list[int], *, shift: int = 0, activation: bool = True, bias: bool = True
) -> torch.Tensor:
    """Logits [steps, 2]; the arguments are wrong readings."""
    weights = files.load_weights(folder)
    inner = _inner(folder, weights, ids, shift=shift, activation=activation, bias=bias)
    return inner @ weights["score.2.weight"].T + weights["score.2.bias"] * bias


def _product(probabilities: torch.Tensor) -> float:
    return float(probabilities.prod())


def _without_system(folder: Path, ids: list[int]) -> float:
    end = tokenizers.load(folder).convert_tokens_to_ids("<|im_end|>")
    return reference(folder, ids[ids.index(end) + 2 :]).reward


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "class 0": lambda f, i: _product(_at_separators(f, i).softmax(-1)[:, 0]),
    "sigmoid of class 1": lambda f, i: _product(_at_separators(f, i)[:, 1].sigmoid()),
    "raw logit": lambda f, i: _product(_at_separators(f, i)[:, 1]),
    "the token before the separator": lambda f, i: _product(
        _at_separators(f, i, shift=-1).softmax(-1)[:, 1]
    ),
    "the token after the separator": lambda f, i: _product(
        _at_separators(f, i, shift=1).softmax(-1)[:, 1]
    ),
    "no activation": lambda f, i: _product(
        _at_separators(f, i, activation=False).softmax(-1)[:, 1]
    ),
    "biases left out": lambda f, i: _product(_at_separators(f, i, bias=False).softmax(-1)[:, 1]),
    "the last separator alone": lambda f, i: float(_at_separators(f, i).softmax(-1)[-1, 1]),
    "no system turn": _without_system,
}
