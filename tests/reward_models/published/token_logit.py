"""A causal LM whose reward is the logit of one vocabulary token: Llama-Nemotron-Reward.

Layout: `LlamaForCausalLM` without `auto_map`; `model.*` and `lm_head.weight`, in shards.
Rules and sources:

- conversation rendered without a generation prompt, one forward pass, logit of vocabulary id 0 at
  the last token, no softmax: model card of nvidia/Llama-3.1-Nemotron-70B-Reward-HF (it generates
  one token and takes `scores[0][0][0]`), as the project's facts file has it; the same reading is in
  a public port of Llama-3.3-Nemotron-70B-Reward that says that the head is not tied.
- the tied variant is made after Llama 3.2's small models, which have no `lm_head.weight`.
- the contrast, logit of `Yes` minus logit of `No` at the last token of the generation prompt, is
  the usual reading of a causal LM as a verifier; no published checkpoint was at hand [not verified].
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from tests.reward_models import tiny_configs as configs
from tests.reward_models import tiny_tokenizers as tokenizers
from tests.reward_models import tiny_weights as files
from tests.reward_models.published.reference import Reference

VARIANTS = {"tied": {"tied": True}}
#: Where the head is tied, reading the embeddings is no mistake.
WITHOUT_EFFECT = {"tied": {"embeddings as the head"}}
REWARD_TOKEN_ID = 0
CONTRAST = ("Yes", "No")


def build(folder: Path, *, seed: int = 0, tied: bool = False, shards: int = 2) -> Path:
    """Writes the checkpoint; `tied` leaves `lm_head.weight` out and says so in the config."""
    from transformers import LlamaConfig, LlamaModel

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizers.save_llama_3(folder)
    config = configs.llama_31(tokenizer, tie_word_embeddings=tied)
    files.save_config(folder, config)
    random = files.generator(seed)
    weights = files.backbone_weights(LlamaModel(LlamaConfig(**config)), random, prefix="model.")
    head = "model.embed_tokens.weight" if tied else "lm_head.weight"
    if not tied:
        weights[head] = files.normal(random, config["vocab_size"], configs.HIDDEN, std=0.2)
    states = [
        _hidden(folder, weights, text_ids(folder, prompt, answer))[-1]
        for prompt in ("What is seven?", [{"role": "system", "content": "A."}])
        for answer in ("The sky is blue.", "Grass.", "No idea, I think", "")
    ]
    # Texts of the tests have no token 0 in them, so its embedding may be anything.
    weights[head][REWARD_TOKEN_ID] = files.telling_direction(torch.stack(states), random, std=2.5)
    files.save_safetensors(folder, weights, shards=shards)
    return folder


def text_ids(folder: Path, prompt: str | list[dict[str, str]], completion: str) -> list[int]:
    """The conversation's ids: one BOS, from the template, and the answer's `<|eot_id|>` last."""
    tokenizer = tokenizers.load(folder)
    return tokenizers.rendered_ids(tokenizer, tokenizers.conversation(prompt, completion))


def contrast_ids(folder: Path, prompt: str | list[dict[str, str]], completion: str) -> list[int]:
    """The same conversation with the head of one more assistant turn, where `Yes` would follow."""
    tokenizer = tokenizers.load(folder)
    turns = tokenizers.conversation(prompt, completion)
    return tokenizers.rendered_ids(tokenizer, turns, add_generation_prompt=True)


def reference(folder: Path, ids: list[int]) -> Reference:
    """The logit of vocabulary id 0 at the last token."""
    return Reference(float(_logits(folder, ids)[-1, REWARD_TOKEN_ID]))


def contrast_reference(
    folder: Path, ids: list[int], tokens: tuple[str, str] = CONTRAST
) -> Reference:
    """The logit of the first token minus that of the second at the last token of `contrast_ids`."""
    first, second = (_single_id(folder, token) for token in tokens)
    last = _logits(folder, ids)[-1]
    return Reference(float(last[first] - last[second]))


def _single_id(folder: Path, token: str) -> int:
    ids = tokenizers.load(folder)(token, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise ValueError(f"{token!r} is {len(ids)} tokens: {ids}")
    return int(ids[0])


def _hidden(folder: Path, weights: files.Tensors, ids: list[int]) -> torch.Tensor:
    from transformers import LlamaConfig, LlamaModel

    model = LlamaModel(LlamaConfig(**files.load_config(folder)))
    return files.hidden_states(model, files.below(weights, "model."), ids)


def _logits(folder: Path, ids: list[int], *, embeddings_as_head: bool = False) -> torch.Tensor:
    """Logits [tokens, vocabulary]."""
    weights = files.load_weights(folder)
    tied = files.load_config(folder)["tie_word_embeddings"] or embeddings_as_head
    head = weights["model.embed_tokens.weight"] if tied else weights["lm_head.weight"]
    return _hidden(folder, weights, ids) @ head.T


def _with_generation_prompt(folder: Path, ids: list[int]) -> float:
    """One header more: the position a chat model answers at."""
    tokenizer = tokenizers.load(folder)
    header = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    more = tokenizer(header, add_special_tokens=False)["input_ids"]
    return float(_logits(folder, ids + more)[-1, REWARD_TOKEN_ID])


def _doubled_bos(folder: Path, ids: list[int]) -> float:
    return float(_logits(folder, ids[:1] + ids)[-1, REWARD_TOKEN_ID])


def _log_probability_of_the_text(folder: Path, ids: list[int]) -> float:
    """What a judge by likelihood would say."""
    logits = _logits(folder, ids).log_softmax(-1)
    return float(sum(logits[i, token] for i, token in enumerate(ids[1:])))


#: Wrong readings of the untied checkpoint.
MUTATIONS: dict[str, Callable[[Path, list[int]], float]] = {
    "the token before the last": lambda f, i: float(_logits(f, i)[-2, REWARD_TOKEN_ID]),
    "the first token": lambda f, i: float(_logits(f, i)[0, REWARD_TOKEN_ID]),
    "without the closing end of turn": lambda f, i: float(_logits(f, i[:-1])[-1, 0]),
    "with a generation prompt": _with_generation_prompt,
    "BOS doubled": _doubled_bos,
    "vocabulary id 1": lambda f, i: float(_logits(f, i)[-1, 1]),
    "the last token's own logit": lambda f, i: float(_logits(f, i)[-1, i[-1]]),
    "log softmax": lambda f, i: float(_logits(f, i)[-1].log_softmax(-1)[REWARD_TOKEN_ID]),
    "sigmoid": lambda f, i: float(_logits(f, i)[-1, REWARD_TOKEN_ID].sigmoid()),
    "embeddings as the head": lambda f, i: float(_logits(f, i, embeddings_as_head=True)[-1, 0]),
    "likelihood": _log_probability_of_the_text,
}
