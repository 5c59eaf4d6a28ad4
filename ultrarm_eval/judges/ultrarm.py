"""The UltraRM judge: any Llama checkpoint with a `regression_head`, scored in batches."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.errors import CheckpointError, ConfigurationError, unknown_choice
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.judges.checkpoint import Checkpoint, open_checkpoint
from ultrarm_eval.judges.device import check_memory, default_batch_tokens, resolve_device
from ultrarm_eval.judges.tokenizer import load_tokenizer
from ultrarm_eval.judges.weights import read_weight
from ultrarm_eval.messages import Prompt
from ultrarm_eval.scoring.encoding import EncodedText, TextEncoder
from ultrarm_eval.scoring.scorer import BatchLimits, score_token_ids
from ultrarm_eval.templates import DEFAULT_TEMPLATE, get_template

if TYPE_CHECKING:
    from ultrarm_eval.judges.llama_reward_model import LlamaRewardModel

logger = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_DEFAULT_MAX_LENGTH = 2048
_QUICK_TO_HASH = 4 * 1024**3


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

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        self._dtype_name = _checked_dtype(dtype)
        source = str(demo_judge_path()) if pretrained == DEMO_NAME else str(pretrained)
        self._pretrained = str(pretrained)
        self._checkpoint = open_checkpoint(source, revision)
        self._dtype = DTYPES.get(self._dtype_name, self._checkpoint.stored_dtype)
        self._device = resolve_device(device)
        self._parallelize = _checked_flag("parallelize", parallelize)
        check_memory(
            self._checkpoint.weight_bytes(self._dtype), self._device, parallelize=self._parallelize
        )
        loaded = load_tokenizer(self._checkpoint)
        self._tokenizer = loaded.tokenizer
        self._template = get_template(str(template), self._tokenizer)
        self._encoder = TextEncoder(
            self._tokenizer,
            self._template,
            max_length=_checked_max_length(max_length, self._checkpoint),
            special_tokens=special_tokens,
            vocabulary_size=self._checkpoint.config.vocab_size,
            is_sentencepiece=loaded.is_sentencepiece,
        )
        self._limits = BatchLimits(
            max_tokens=_checked_count("max_batch_tokens", max_batch_tokens)
            or default_batch_tokens(self._device),
            max_texts=_max_texts(batch_size, max_batch_size),
        )
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
    def max_length(self) -> int:
        """The most tokens of a text."""
        return self._encoder.max_length

    def load(self) -> LlamaRewardModel:
        """Loads the weights, once."""
        if self._model is None:
            self._model = _load_model(
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
        model = self.load()
        texts = list(distinct)
        for batch, rewards in score_token_ids(model, texts, self._limits):
            for position, reward in zip(batch, rewards, strict=True):
                for index in distinct[texts[position]]:
                    yield index, reward

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {
            "pretrained": self._pretrained,
            "revision": self._checkpoint.commit or self._checkpoint.revision,
            "template": self._template.name,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": "parallelized" if self._parallelize else str(self._device),
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
        if self._digest is None:
            self._digest = self._checkpoint.digest()
        parts = {
            "weights": self._digest,
            "template": self._encoder.template_source(),
            "dtype": str(self._dtype),
            "special_tokens": self._encoder.special_tokens,
            "max_length": self.max_length,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

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


def _load_model(
    checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device, *, parallelize: bool
) -> LlamaRewardModel:
    from ultrarm_eval.judges.llama_reward_model import (
        FINAL_NORM_WEIGHT,
        HEAD_WEIGHT,
        LlamaRewardModel,
    )

    try:
        model, report = LlamaRewardModel.from_pretrained(
            checkpoint.name,
            revision=checkpoint.revision,
            use_safetensors=checkpoint.safetensors,
            device_map="auto" if parallelize else {"": device},
            output_loading_info=True,
            dtype=dtype,
        )
    except Exception as error:
        # What is raised for a missing, cut off or mismatched file differs between versions.
        reason = (str(error).strip().splitlines() or [""])[0]
        raise CheckpointError(
            f"{checkpoint.name}: the weights cannot be loaded; a file is damaged, lacks weights, "
            f"or does not fit the config ({type(error).__name__}: {reason})."
        ) from error
    missing = sorted(str(key) for key in report["missing_keys"])
    if missing:
        raise CheckpointError(
            f"{checkpoint.name}: {len(missing)} weights are missing and would be random, "
            f"among them {missing[0]!r}."
        )
    # transformers rounds these to the body's dtype; the reward needs them as they are stored.
    for key, layer in (
        (FINAL_NORM_WEIGHT, model.model.norm),
        (HEAD_WEIGHT, model.regression_head),
    ):
        if layer.weight.dtype != torch.float32 and layer.weight.device.type != "meta":
            exact = read_weight(checkpoint.fetch, key, safetensors=checkpoint.safetensors)
            layer.weight.data = exact.to(layer.weight.device, torch.float32)
    return model.eval()  # type: ignore[no-any-return]


def _checked_dtype(dtype: str) -> str:
    name = str(dtype).removeprefix("torch.")
    if name not in {"auto", *DTYPES}:
        raise unknown_choice("dtype", dtype, ("auto", *DTYPES))
    return name


def _checked_flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False, not {value!r}.")
    return value


def _checked_count(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ConfigurationError(f"{name} is a whole number of at least 1, not {value!r}.")
    return int(str(value))


def _checked_max_length(max_length: object, checkpoint: Checkpoint) -> int:
    positions = int(checkpoint.config.max_position_embeddings)
    wanted = _checked_count("max_length", max_length)
    if wanted is None:
        return min(_DEFAULT_MAX_LENGTH, positions)
    if wanted > positions:
        raise ConfigurationError(
            f"max_length={wanted} is more than the {positions} positions of "
            f"{checkpoint.name}. Set at most {positions}."
        )
    return wanted


def _max_texts(batch_size: int | str | None, max_batch_size: int | str | None) -> int | None:
    limits = []
    if batch_size is not None and not str(batch_size).startswith("auto"):
        limits.append(_checked_count("batch_size", batch_size))
    if limits == [1]:
        limits = []
    if max_batch_size is not None:
        limits.append(_checked_count("max_batch_size", max_batch_size))
    return min((limit for limit in limits if limit is not None), default=None)
