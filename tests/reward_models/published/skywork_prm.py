"""Skywork-o1-Open-PRM: a value head read at the newline that closes each step.

Layout: `Qwen2ForPrmModel` without `auto_map`, model_type qwen2; `model.*`, `v_head.summary.weight`
[1, h] and `.bias`, and what the wrapped causal model has: `lm_head.weight`, unless it is tied.
Rules from SkyworkAI/skywork-o1-prm-inference@719b56b:

- model_utils/io_utils.py `prepare_input`: the prompt is BOS, the problem and a newline, encoded
  together; each step is encoded BY ITSELF and followed by the id of the newline, so that the
  newline is never merged with the punctuation before it; an empty step is the newline alone. No
  chat template. The value at each of these newlines is a step's.
- README and model_utils/prm_model.py: sigmoid of the head's value (`return_probs=True`); dropout is
  off in eval; the hidden state is the last one after the final norm.
- vllm_add_dummy_model/prm_model.py loads the same keys and ignores `lm_head.`.

Not verified: which token is BOS (the code needs the tokenizer to have one; Qwen's config names
`<|endoftext|>`), the file format on the hub, and one value over all steps (min here).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

VARIANTS = {"tied": {"tied": True}, "pickled": {"pickled": True}}
#: Problems are of one line here, see `reference`. Steps end in punctuation that merges with a
#: newline, and one is empty.
TEXTS = (
    ("What is 7 times 8?", ["7 times 8 is 56.", "The answer is 56."]),
    ("What is 7 times 8?", ["Take 8 from 60.", "It is 54, then."]),
    ("Add 1, 2 and 3", ["1 + 2 = 3.", "", "3 + 3 = 6", "Is it 6?"]),
)


def build(folder: Path, *, seed: int = 0, tied: bool = False, pickled: bool = False) -> Path:
    """Writes the checkpoint: tied as the 1.5B model, or with an `lm_head` as the 7B model."""
    from transformers import Qwen2Config, Qwen2Model

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizers.save_byte_level(
        folder,
        special_tokens=tokenizers.QWEN_TOKENS[:3],
        template=tokenizers.QWEN_MATH_TEMPLATE,
        bos_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    config = configs.qwen_25_math(
        tokenizer, architectures=["Qwen2ForPrmModel"], tie_word_embeddings=tied
    )
    files.save_config(folder, config)
    random = files.generator(seed)
    weights = files.backbone_weights(Qwen2Model(Qwen2Config(**config)), random, prefix="model.")
    states = []
    for text in TEXTS:
        ids, positions = _ids_and_positions(folder, *text)
        states.append(_hidden(folder, weights, ids)[positions])
    direction = files.telling_direction(torch.cat(states), random)
    weights["v_head.summary.weight"] = direction[None].contiguous()
    weights["v_head.summary.bias"] = torch.tensor([0.4])
    if not tied:
        weights["lm_head.weight"] = files.normal(random, config["vocab_size"], configs.HIDDEN)
    if pickled:
        files.save_pickles(folder, weights)
    else:
        files.save_safetensors(folder, weights)
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], steps: list[str]) -> list[int]:
    """BOS, problem and newline; then each step's own ids and the newline's.

    Raises:
        ValueError: for a conversation of more than a user's turn, or a step with a newline, which
            the published code cannot be given.
    """
    return _ids_and_positions(folder, prompt, steps)[0]


def step_positions(folder: Path, prompt: str | list[dict[str, str]], steps: list[str]) -> list[int]:
    """Where `text_ids` has the newlines that close the steps."""
    return _ids_and_positions(folder, prompt, steps)[1]


def reference(folder: Path, ids: list[int], positions: list[int] | None = None) -> Reference:
    """The sigmoid of the head's value at every step's newline; their minimum.

    Args:
        folder: the checkpoint.
        ids: from `text_ids`.
        positions: from `step_positions`; needed where the problem has more than one line.
    """
    values = _values(folder, ids)[positions or _after_one_line(folder, ids)]
    steps = values.sigmoid().tolist()
    return Reference(min(steps), steps=steps)


def _ids_and_positions(
    folder: Path, prompt: str | list[dict[str, str]], steps: list[str]
) -> tuple[list[int], list[int]]:
    if not isinstance(prompt, str):
        if [turn["role"] for turn in prompt] != ["user"]:
            raise ValueError("Skywork's code takes one problem, not a conversation")
        prompt = prompt[0]["content"]
    if any("\n" in step for step in steps):
        raise ValueError("a newline ends a step")
    tokenizer = tokenizers.load(folder)
    ids = list(tokenizer.encode(tokenizer.bos_token + prompt + "\n"))
    newline = tokenizer.encode("\n")[-1]
    positions = []
    for step in steps:
        ids += [*(tokenizer.encode(step) if step else []), newline]
        positions.append(len(ids) - 1)
    return ids, positions


def _after_one_line(folder: Path, ids: list[int]) -> list[int]:
    """The newlines after the first token that ends in one, which ends the problem."""
    tokenizer = tokenizers.load(folder)
    newline = tokenizer.encode("\n")[-1]
    prompt_end = next(i for i, t in enumerate(ids) if tokenizer.decode([t]).endswith("\n"))
    return [i for i, token in enumerate(ids) if token == newline and i > prompt_end]


def _hidden(folder: Path, weights: files.Tensors, ids: list[int]) -> torch.Tensor:
    from transformers import Qwen2Config, Qwen2Model

    model = Qwen2Model(Qwen2Config(**files.load_config(folder)))
    return files.hidden_states(model, files.below(weights, "model."), ids)


def _values(folder: Path, ids: list[int], *, bias: bool = True) -> torch.Tensor:
    """The head's value at every token [tokens]."""
    weights = files.load_weights(folder)
    head = weights["v_head.summary.weight"][0]
    return _hidden(folder, weights, ids) @ head + weights["v_head.summary.bias"] * bias


def _wrong(
    folder: Path, ids: list[int], *, shift: int = 0, bias: bool = True, squash: bool = True
) -> float:
    at = [i + shift for i in _after_one_line(folder, ids)]
    values = _values(folder, ids, bias=bias)[at]
    return float((values.sigmoid() if squash else values).min())


def _encoded_together(folder: Path, ids: list[int]) -> float:
    """The whole text encoded at once: newlines merge with what stands before them."""
    tokenizer = tokenizers.load(folder)
    again = tokenizer.encode(tokenizer.decode(ids))
    ends = [i for i, token in enumerate(again) if tokenizer.decode([token]).endswith("\n")]
    return float(_values(folder, again)[ends[1:]].sigmoid().min())


MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "no sigmoid": lambda f, i: _wrong(f, i, squash=False),
    "bias left out": lambda f, i: _wrong(f, i, bias=False),
    "the token before the newline": lambda f, i: _wrong(f, i, shift=-1),
    "without BOS": lambda f, i: reference(f, i[1:]).reward,
    "text encoded at once": _encoded_together,
    "the last step alone": lambda f, i: float(_values(f, i)[-1].sigmoid()),
    "the problem's newline as a step": lambda f, i: min(
        reference(f, i).reward,
        float(_values(f, i)[: _after_one_line(f, i)[0]].sigmoid().min()),
    ),
}
