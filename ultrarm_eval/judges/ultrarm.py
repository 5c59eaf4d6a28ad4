"""The UltraRM judge: any Llama checkpoint with a `regression_head`, scored in batches."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.judges.checkpoint import DTYPES, open_checkpoint
from ultrarm_eval.judges.device import check_memory, default_batch_tokens, resolve_device
from ultrarm_eval.judges.model_loading import load_model
from ultrarm_eval.judges.settings import (
    checked_count,
    checked_dtype,
    checked_flag,
    checked_max_length,
    max_texts,
)
from ultrarm_eval.judges.tokenizer import load_tokenizer
from ultrarm_eval.messages import Prompt
from ultrarm_eval.scoring.batching import AUTO, resolve_batching
from ultrarm_eval.scoring.encoding import EncodedText, TextEncoder
from ultrarm_eval.scoring.plan import Plan, make_plan
from ultrarm_eval.scoring.score_store import ScoreStore, checked_store_path
from ultrarm_eval.scoring.scorer import BatchLimits, score_token_ids
from ultrarm_eval.templates import DEFAULT_TEMPLATE, get_template

if TYPE_CHECKING:
    from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel

logger = logging.getLogger(__name__)

_QUICK_TO_HASH = 4 * 1024**3
# Characters of a text that a message quotes.
_QUOTED = 80


class UltraRMJudge:
    """Scores texts with a Llama reward model.

    Everything that can be wrong with the settings is found when the judge is made; the weights
    are loaded at the first score, or by `load`.
    """

    def __init__(
        self,
        pretrained: str = DEFAULT_CHECKPOINT,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        template: str = DEFAULT_TEMPLATE,
        special_tokens: str = "text",
        max_length: int | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | str | None = None,
        max_batch_tokens: int | None = None,
        parallelize: bool = False,
        batching: str = AUTO,
        score_store: str | None = None,
    ) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder, a hub id, or `demo` for the tiny judge that comes along.
            revision: Hub revision of the checkpoint.
            dtype: `auto` (as stored), `float32`, `bfloat16` or `float16`, for the body; the final
                norm and the head are always float32.
            device: A torch device; the first GPU if there is one, else the CPU, if None.
            template: See `ultrarm_eval.templates`.
            special_tokens: `text` (spelled-out special tokens are text) or `parse` (they become
                control tokens, as in the published tutorial).
            max_length: The most tokens of a text; longer ones are cut on the left. 2048, or the
                model's positions if those are fewer, if None.
            batch_size: The most texts computed together; `auto`, 1 and None set no limit but the
                token budget (1 is what lm-eval passes when its user named none).
            max_batch_size: A further limit on the texts computed together.
            max_batch_tokens: The most tokens computed together, padding included.
            parallelize: Spread the weights over all GPUs (and the CPU) with accelerate.
            batching: `auto`; `shared` (what texts have in common at their start is computed once),
                `packed` (rows without padding) or `padded`.
            score_store: A file that keeps every reward: what it holds is not computed again, by
                any later run or process with the same model and settings.

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        dtype_name = checked_dtype(dtype)
        source = str(demo_judge_path()) if pretrained == DEMO_NAME else str(pretrained)
        self._pretrained = str(pretrained)
        self._checkpoint = open_checkpoint(source, None if revision is None else str(revision))
        self._dtype = DTYPES.get(dtype_name, self._checkpoint.stored_dtype)
        self._device = resolve_device(device)
        self._parallelize = checked_flag("parallelize", parallelize)
        check_memory(
            self._checkpoint.weight_bytes(self._dtype),
            self._device,
            parallelize=self._parallelize,
            dtype=self._dtype,
        )
        loaded = load_tokenizer(self._checkpoint)
        self._tokenizer = loaded.tokenizer
        self._template = get_template(str(template), self._tokenizer)
        self._encoder = TextEncoder(
            self._tokenizer,
            self._template,
            max_length=checked_max_length(max_length, self._checkpoint),
            special_tokens=special_tokens,
            vocabulary_size=self._checkpoint.config.vocab_size,
            is_sentencepiece=loaded.is_sentencepiece,
            eos_id=_eos_id(loaded.tokenizer, self._checkpoint.config.eos_token_id),
        )
        self._limits = BatchLimits(
            max_tokens=checked_count("max_batch_tokens", max_batch_tokens)
            or default_batch_tokens(self._device),
            max_texts=max_texts(batch_size, max_batch_size),
        )
        self._batching, together = resolve_batching(batching, self._checkpoint.config)
        if not together:
            self._limits.max_texts = 1
        self._store_path = None if score_store is None else checked_store_path(score_store)
        self._store: ScoreStore | None = None
        self._model: LlamaRewardModel | None = None
        self._digest: str | None = None
        self._counts = {"texts": 0, "distinct_texts": 0, "truncated": 0, "spelled_special": 0}
        self._warned_of_truncation = False

    @property
    def tokenizer(self) -> Any:
        """The checkpoint's tokenizer."""
        return self._tokenizer

    @property
    def device(self) -> torch.device:
        """The device really used."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the model's body."""
        return self._dtype

    @property
    def hidden_size(self) -> int:
        """The width of the model."""
        return int(self._checkpoint.config.hidden_size)

    def layer_parameters(self) -> int:
        """Parameters that every token is multiplied with: all but the embedding."""
        config = self._checkpoint.config
        embedded = int(config.vocab_size) * int(config.hidden_size)
        return self._checkpoint.parameter_count() - embedded

    @property
    def max_length(self) -> int:
        """The most tokens of a text."""
        return self._encoder.max_length

    def load(self) -> LlamaRewardModel:
        """Loads the weights, once."""
        if self._model is None:
            self._model = load_model(
                self._checkpoint, self._dtype, self._device, parallelize=self._parallelize
            )
        return self._model

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions; see `ultrarm_eval.judges.base.Judge.score`."""
        rewards = [0.0] * len(completions)
        for index, reward in self.score_stream(prompts, completions):
            rewards[index] = reward
        return rewards

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields (index, reward) batch by batch; every distinct text is computed once."""
        if isinstance(prompts, str) or isinstance(completions, str):
            raise ConfigurationError("Prompts and completions are lists, also of a single text.")
        if len(prompts) != len(completions):
            raise ConfigurationError(
                f"{len(prompts)} prompts and {len(completions)} completions: each completion "
                "needs its prompt (a text, a message list, or None)."
            )
        if not completions:
            return
        places: dict[EncodedText, list[int]] = {}
        for index, encoded in enumerate(self._encoder.encode(prompts, completions)):
            places.setdefault(encoded, []).append(index)
        distinct: dict[tuple[int, ...], list[int]] = {}
        for encoded, indices in places.items():
            distinct.setdefault(encoded.ids, []).extend(indices)
        self._count(places, len(distinct))
        stored = self._stored(list(distinct))
        for ids, reward in stored.items():
            for index in distinct[ids]:
                yield index, reward
        texts = [ids for ids in distinct if ids not in stored]
        if not texts:
            return
        model = self.load()
        for batch, rewards in score_token_ids(model, texts, self._limits, self._batching):
            by_text = {texts[i]: reward for i, reward in zip(batch, rewards, strict=True)}
            finite = {ids: reward for ids, reward in by_text.items() if math.isfinite(reward)}
            if self._store is not None:
                self._store.add(finite)
            for ids, reward in finite.items():
                for index in distinct[ids]:
                    yield index, reward
            for ids, reward in by_text.items():
                if ids not in finite:
                    index = distinct[ids][0]
                    raise ScoringError(_not_finite(index, completions[index], reward))

    def plan(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> tuple[Plan, int]:
        """What scoring these completions would compute, without loading the weights.

        Returns:
            The plan for the distinct texts, and how many of those are cut to `max_length`.
        """
        encoded = set(self._encoder.encode(prompts, completions))
        texts = [np.array(ids, dtype=np.int32) for ids in sorted({e.ids for e in encoded})]
        plan = make_plan(
            texts,
            batching=self._batching,
            max_tokens=self._limits.max_tokens,
            max_texts=self._limits.max_texts,
        )
        return plan, sum(e.truncated for e in encoded)

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """Scores each completion in a forward pass of its own, through the whole model.

        The plain way that every faster one is measured against.
        """
        model = self.load()
        with torch.inference_mode():
            return [
                float(model(torch.tensor([encoded.ids], device=model.device)))
                for encoded in self._encoder.encode(prompts, completions)
            ]

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {
            "pretrained": self._pretrained,
            "revision": self._checkpoint.commit or self._checkpoint.revision,
            "template": self._template.name,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": "parallelized" if self._parallelize else str(self._device),
            "batching": self._batching,
            "max_length": self.max_length,
            "truncation": "left",
            "special_tokens": self._encoder.special_tokens,
            "appends_eos": self._template.append_eos,
            "parameters": self._checkpoint.parameter_count(),
            "weights_digest": self._known_digest(),
            "counts": dict(self._counts),
        }

    def fingerprint(self) -> str:
        """Identifies weights, template, dtype, special_tokens and max_length."""
        parts = self._fingerprint_parts()
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _fingerprint_parts(self) -> dict[str, Any]:
        if self._digest is None:
            self._digest = self._checkpoint.digest()
        return {
            "weights": self._digest,
            # A file's name says nothing: its source does.
            "template": self._template.source or self._template.name,
            "dtype": str(self._dtype),
            "special_tokens": self._encoder.special_tokens,
            "max_length": self.max_length,
        }

    def _stored(self, texts: Sequence[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
        """The rewards that the score store holds, if there is one."""
        if self._store_path is None:
            return {}
        if self._store is None:
            self._store = ScoreStore(
                self._store_path, self.fingerprint(), self._fingerprint_parts()
            )
        found = self._store.find(texts)
        self._counts["from_store"] = self._counts.get("from_store", 0) + len(found)
        logger.info(
            "score_store=%s: %d of %d texts were scored before.",
            self._store_path,
            len(found),
            len(texts),
        )
        return found

    def _known_digest(self) -> str | None:
        """The digest, unless it would take reading many gigabytes for a report alone."""
        if self._digest is None and (
            self._checkpoint.commit or self._checkpoint.weight_bytes(self._dtype) < _QUICK_TO_HASH
        ):
            self._digest = self._checkpoint.digest()
        return self._digest

    def _count(self, places: dict[EncodedText, list[int]], distinct: int) -> None:
        truncated = sum(encoded.truncated for encoded in places)
        self._counts["texts"] += sum(len(indices) for indices in places.values())
        self._counts["distinct_texts"] += distinct
        self._counts["truncated"] += truncated
        self._counts["spelled_special"] += sum(e.spells_special_tokens for e in places)
        if truncated and not self._warned_of_truncation:
            self._warned_of_truncation = True
            logger.warning(
                "%d of %d texts are longer than max_length=%d tokens and are cut on the left "
                "(BOS kept); the counts stand in the results.",
                truncated,
                len(places),
                self.max_length,
            )


def _eos_id(tokenizer: Any, configured: Any) -> int | None:
    """The tokenizer's EOS; the model's where a tokenizer.json alone names none."""
    if tokenizer.eos_token_id is not None:
        return int(tokenizer.eos_token_id)
    return configured if isinstance(configured, int) else None


def _not_finite(index: int, completion: str, reward: float) -> str:
    start = completion if len(completion) <= _QUOTED else completion[:_QUOTED] + "..."
    return (
        f"The reward of completion {index} is {reward}; it starts {start!r}. Weights or "
        "activations overflowed: use dtype=bfloat16 or float32 rather than float16, and check that "
        "the checkpoint is undamaged."
    )
