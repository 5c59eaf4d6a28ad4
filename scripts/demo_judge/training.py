"""Training of the demo judge: Bradley-Terry on all pairs whose means differ."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch.nn import functional
from transformers import LlamaConfig

from demo_judge.accuracy import accuracy
from demo_judge.preferences import RatedPrompt
from demo_judge.tokenizer import BOS_ID, EOS_ID, VOCABULARY_SIZE
from ultrarm_eval.checkpoints.decoder_reward_model import LlamaRewardModel

Tokenize = Callable[[str], list[int]]
LogEntry = dict[str, int | float]

_TEXTS_PER_SCORING_BATCH = 64


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the outcome of a training run, apart from its data.

    Attributes:
        seed: Seed of the initial weights and of the order of the prompts.
        steps: Number of optimiser steps.
        warmup_steps: Steps over which the learning rate rises to its peak; it then falls linearly.
        prompts_per_step: Prompts in a step, with all of their completions.
        peak_learning_rate: Learning rate after the warm-up.
        weight_decay: AdamW's weight decay.
        adam_betas: AdamW's decay rates of its running means.
        largest_gradient_norm: Gradients are clipped to this norm.
        steps_per_log: Steps between two entries of the log.
        threads: CPU threads. The matrices are so small that a second one gains little, and on a
            busy machine the two wait for each other most of the time.
    """

    seed: int = 0
    steps: int = 1800
    warmup_steps: int = 50
    prompts_per_step: int = 4
    peak_learning_rate: float = 1.2e-3
    weight_decay: float = 0.01
    adam_betas: tuple[float, float] = (0.9, 0.98)
    largest_gradient_norm: float = 1.0
    steps_per_log: int = 300
    threads: int = 1


def make_deterministic(settings: TrainingSettings) -> None:
    """Fixes the seed, the threads and the algorithms of torch."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    torch.set_num_interop_threads(1)
    torch.use_deterministic_algorithms(True)


def new_judge() -> LlamaRewardModel:
    """A tiny reward model with random weights."""
    config = LlamaConfig(
        vocab_size=VOCABULARY_SIZE,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=1024,
        # Llama's 0.02 suits its width; at 128 it makes for a slow start.
        initializer_range=0.06,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        tie_word_embeddings=False,
    )
    return LlamaRewardModel(config)


def _rewards(judge: LlamaRewardModel, token_ids: Sequence[list[int]]) -> torch.Tensor:
    lengths = torch.tensor([len(ids) for ids in token_ids])
    # Padding goes right of the position that is read, so its id is of no consequence.
    padded = torch.full((len(token_ids), int(lengths.max())), EOS_ID)
    for row, ids in enumerate(token_ids):
        padded[row, : len(ids)] = torch.tensor(ids)
    return judge.rewards_at(padded, lengths - 1)


def score(
    judge: LlamaRewardModel, prompts: Sequence[RatedPrompt], tokenize: Tokenize
) -> list[list[float]]:
    """Scores all completions; for every prompt, its rewards in the order of the completions."""
    token_ids = [tokenize(text) for prompt in prompts for text in prompt.texts]
    # Texts of like lengths together: less padding.
    by_length = sorted(range(len(token_ids)), key=lambda index: len(token_ids[index]))
    rewards = [0.0] * len(token_ids)
    judge.train(mode=False)
    with torch.no_grad():
        for start in range(0, len(by_length), _TEXTS_PER_SCORING_BATCH):
            batch = by_length[start : start + _TEXTS_PER_SCORING_BATCH]
            scored = _rewards(judge, [token_ids[index] for index in batch]).tolist()
            for index, reward in zip(batch, scored, strict=True):
                rewards[index] = reward
    judge.train()
    stream = iter(rewards)
    return [[next(stream) for _ in prompt.texts] for prompt in prompts]


def _better_and_worse(prompts: Sequence[RatedPrompt]) -> tuple[list[int], list[int]]:
    """Indices, into all completions in turn, of the better and the worse one of every pair."""
    better, worse, offset = [], [], 0
    for prompt in prompts:
        for i, mean in enumerate(prompt.means):
            for j, other_mean in enumerate(prompt.means):
                if mean > other_mean:
                    better.append(offset + i)
                    worse.append(offset + j)
        offset += len(prompt.means)
    return better, worse


def _batches(
    prompts: Sequence[RatedPrompt], settings: TrainingSettings
) -> Iterator[list[RatedPrompt]]:
    """Batches without end, every pass in another order."""
    rng = Random(settings.seed)
    size = settings.prompts_per_step
    while True:
        order = rng.sample(range(len(prompts)), len(prompts))
        for start in range(0, len(order) - size + 1, size):
            yield [prompts[index] for index in order[start : start + size]]


def _learning_rate_factor(step: int, settings: TrainingSettings) -> float:
    rising = (step + 1) / settings.warmup_steps
    falling = (settings.steps - step) / (settings.steps - settings.warmup_steps)
    return min(rising, falling)


def train(
    judge: LlamaRewardModel,
    prompts: Sequence[RatedPrompt],
    watched: Mapping[str, Sequence[RatedPrompt]],
    tokenize: Tokenize,
    settings: TrainingSettings,
) -> Iterator[LogEntry]:
    """Trains a judge in place; the last step's weights stay, none are selected by accuracy.

    Args:
        judge: The judge.
        prompts: What to train on.
        watched: Prompts to measure the accuracy on for the log, by their name in it.
        tokenize: Gives a text's token ids, with BOS.
        settings: How to train.

    Yields:
        Log entries: the step, the mean loss since the last entry, the accuracies.
    """
    optimiser = torch.optim.AdamW(
        judge.parameters(),
        lr=settings.peak_learning_rate,
        betas=settings.adam_betas,
        weight_decay=settings.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _learning_rate_factor(step, settings)
    )
    batches = _batches(prompts, settings)
    recent_losses: list[float] = []
    judge.train()
    for step in range(1, settings.steps + 1):
        batch = next(batches)
        rewards = _rewards(judge, [tokenize(text) for prompt in batch for text in prompt.texts])
        better, worse = _better_and_worse(batch)
        loss = -functional.logsigmoid(rewards[better] - rewards[worse]).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(judge.parameters(), settings.largest_gradient_norm)
        optimiser.step()
        schedule.step()
        recent_losses.append(loss.item())
        if step % settings.steps_per_log == 0 or step == settings.steps:
            entry: LogEntry = {
                "step": step,
                "loss": round(statistics.fmean(recent_losses), 6),
            }
            for name, watched_prompts in watched.items():
                rewards_there = score(judge, watched_prompts, tokenize)
                entry[f"{name}_accuracy"] = round(accuracy(watched_prompts, rewards_there), 6)
            yield entry
            recent_losses = []
