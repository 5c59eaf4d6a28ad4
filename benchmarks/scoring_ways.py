"""Ways to score one load with one model: what others do, and what we do.

Every way gets the same model and the same token ids. What a way needs once (a model of another
class, say) is made by `prepare` and is not timed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from scoring_loads import Load, TextIds
from transformers import LlamaConfig

from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.plan import pad
from ultrarm_eval.engine.token_budget import CPU_TREE_TOKENS
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine
from ultrarm_eval.text_format.tokens import Tokens

SHAPES: dict[str, dict[str, int]] = {
    "40m": {
        "vocab_size": 32_000,
        "hidden_size": 512,
        "intermediate_size": 1376,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "max_position_embeddings": 4096,
    },
    # vLLM computes heads of 32 numbers and more on CPUs.
    "small": {
        "vocab_size": 8_000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 4096,
    },
    "tiny": {
        "vocab_size": 8_000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 4096,
    },
}
#: Of RewardBench and of lm-eval's `hf` alike.
OTHERS_BATCH = 8

#: Scores a load; rewards by the text's number, none where the way makes none.
Score = Callable[[Load], dict[int, float]]


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        title: How tables name it.
        prepare: Makes it for a model and a token budget.
        makes_rewards: False where it computes something else at the same cost.
        is_ours: Whether it is a batching of the package.
    """

    title: str
    prepare: Callable[[LlamaRewardModel, int], Score]
    makes_rewards: bool = True
    is_ours: bool = False


def the_tutorials_loop(model: LlamaRewardModel, _budget: int) -> Score:
    """Both texts of every pair, one at a time, as often as it is in a pair."""

    def score(load: Load) -> dict[int, float]:
        rewards = {}
        with torch.inference_mode():
            for pair in load.pairs:
                for text in pair:
                    ids = torch.tensor([load.texts[text]], device=model.device)
                    rewards[text] = float(model(ids))
        return rewards

    return score


def one_at_a_time(model: LlamaRewardModel, _budget: int) -> Score:
    """Every distinct text once, one at a time: the least that a loop has to compute.

    The naive baseline where a prompt has many answers. A loop over all pairs of 32 answers scores
    each of them 31 times, which nobody who wants the best of them would do.
    """

    def score(load: Load) -> dict[int, float]:
        with torch.inference_mode():
            return {
                text: float(model(torch.tensor([ids], device=model.device)))
                for text, ids in enumerate(load.texts)
            }

    return score


def rewardbenchs_batches(model: LlamaRewardModel, _budget: int) -> Score:
    """Both texts of every pair, in the data's order, eight pairs a batch, padded."""

    def score(load: Load) -> dict[int, float]:
        rewards: dict[int, float] = {}
        for start in range(0, len(load.pairs), OTHERS_BATCH):
            for side in (0, 1):
                some = [pair[side] for pair in load.pairs[start : start + OTHERS_BATCH]]
                ids, mask = _padded([load.texts[i] for i in some], model.device)
                with torch.inference_mode():
                    found = model(ids, attention_mask=mask)[:, 0].tolist()
                rewards.update(zip(some, found, strict=True))
        return rewards

    return score


def sorted_padded_batches(model: LlamaRewardModel, budget: int) -> Score:
    """Every distinct text once, longest first, padded, under a token budget.

    What a careful script does, without a mask, which padding on the right does not need. It calls
    the model itself, so that it stays the same baseline whatever becomes of our padded batching.
    """

    def score(load: Load) -> dict[int, float]:
        rewards: dict[int, float] = {}
        lengths = [len(ids) for ids in load.texts]
        for some in pad(lengths, max_tokens=budget):
            ids, _ = _padded([load.texts[i] for i in some], model.device)
            ends = torch.tensor([lengths[i] - 1 for i in some], device=model.device)
            with torch.inference_mode():
                found = model.rewards_at(ids, ends).tolist()
            rewards.update(zip(some, found, strict=True))
        return rewards

    return score


def lm_evals_likelihood(model: LlamaRewardModel, _budget: int) -> Score:
    """The likelihood of every distinct text's answer, by lm-eval's own `hf` model.

    A language model of the same shape; what lm-eval adds to the forward pass (a product with the
    vocabulary, a softmax) is part of what it costs to judge by likelihood.
    """
    from lm_eval.models.huggingface import HFLM
    from transformers import LlamaForCausalLM

    language_model = (
        LlamaForCausalLM(copy.deepcopy(model.config)).to(model.device, torch.float32).eval()
    )
    harness = HFLM(
        pretrained=language_model,
        tokenizer=minimal_tokenizer(),
        batch_size=OTHERS_BATCH,
        device=str(model.device),
        dtype="float32",
        max_length=model.config.max_position_embeddings,
    )

    def score(load: Load) -> dict[int, float]:
        requests = [
            (None, list(ids[:context]), list(ids[context:]))
            for ids, context in zip(load.texts, load.context_lengths, strict=True)
        ]
        harness._loglikelihood_tokens(requests, disable_tqdm=True)
        return {}

    return score


def ours(batching: str) -> Callable[[LlamaRewardModel, int], Score]:
    """Every distinct text once, by one of our batchings."""

    def prepare(model: LlamaRewardModel, budget: int) -> Score:
        runner = DecoderRunner(model)
        return lambda load: score_by_us(runner, load.texts, budget, batching)

    return prepare


def score_by_us(
    runner: DecoderRunner, texts: list[TextIds], budget: int, batching: str
) -> dict[int, float]:
    """The one place where the benchmarks call the package's engine."""
    tree_tokens = CPU_TREE_TOKENS if runner.model.device.type == "cpu" else None
    limits = BatchLimits(budget, max_tree_tokens=tree_tokens)
    engine = TorchEngine(lambda: runner, lambda: limits, batching)
    rewards: dict[int, float] = {}
    for batch in engine.compute([Tokens.of(ids) for ids in texts]):
        rewards.update(zip(batch.texts, batch.values, strict=True))
    return rewards


LOOP, EACH, REWARDBENCH, HF, SORTED = "loop", "each", "rewardbench", "hf", "sorted"
#: The package's default batching, which the goals are for.
SHARED = "shared"
WAYS = {
    LOOP: Way("the tutorial's loop over pairs", the_tutorials_loop),
    EACH: Way("each distinct text, one at a time", one_at_a_time),
    REWARDBENCH: Way("RewardBench's batches", rewardbenchs_batches),
    HF: Way("lm-eval's hf, likelihood", lm_evals_likelihood, makes_rewards=False),
    SORTED: Way("distinct, sorted, padded", sorted_padded_batches),
    "padded": Way("ours, padded", ours("padded"), is_ours=True),
    "packed": Way("ours, packed", ours("packed"), is_ours=True),
    SHARED: Way("ours, shared", ours("shared"), is_ours=True),
}


def reward_model(shape: str, seed: int) -> LlamaRewardModel:
    """A randomly initialised float32 reward model on the CPU."""
    torch.manual_seed(seed)
    model: LlamaRewardModel = LlamaRewardModel(LlamaConfig(**SHAPES[shape])).eval()
    return model


def layer_parameters(model: LlamaRewardModel) -> int:
    """Parameters that every token is multiplied with: all but the embedding."""
    layers: int = sum(int(p.numel()) for p in model.parameters())
    layers -= model.model.embed_tokens.weight.numel()
    return layers


def _padded(texts: list[TextIds], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids in texts)
    ids = [[*text, *[0] * (width - len(text))] for text in texts]
    mask = [[1] * len(text) + [0] * (width - len(text)) for text in texts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def minimal_tokenizer() -> Any:
    """A tokenizer for a model that is only given token ids."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    names = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<unk>"}
    words = {"<unk>": 0, "<s>": 1, "</s>": 2}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel(words)), **names)
