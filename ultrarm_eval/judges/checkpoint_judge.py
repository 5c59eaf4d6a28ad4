"""A judge that reads a checkpoint: settings, texts, memory, store; a subclass knows the network."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import torch

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import DTYPES, Checkpoint
from ultrarm_eval.checkpoints.device import check_memory, resolve_device
from ultrarm_eval.checkpoints.fingerprint import Fingerprint
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.quantization import BYTES_PER_WEIGHT, checked_quantization
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer, load_tokenizer
from ultrarm_eval.demo import DEMO_NAME, demo_judge_path
from ultrarm_eval.engine.batching import AUTO, resolve_batching
from ultrarm_eval.engine.counts import TextCounts
from ultrarm_eval.engine.kernels.choice import Place, checked_attention
from ultrarm_eval.engine.local_engine import BatchLimits
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import ScoreStore, checked_store_path
from ultrarm_eval.engine.token_budget import token_budget
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.auto import open_for
from ultrarm_eval.judges.parity import closed_by_eos, parity_settings
from ultrarm_eval.judges.settings import (
    DEFAULT_SPECIAL_TOKENS,
    checked_count,
    checked_dtype,
    checked_flag,
    checked_max_length,
    max_texts,
)
from ultrarm_eval.judges.text_scoring import TextScoring
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.system_turns import KEEP, checked_system
from ultrarm_eval.text_format.template import Template, get_template


class CheckpointJudge(TextScoring):
    """Scores texts with a checkpoint's network.

    Everything that can be wrong with the settings is found when the judge is made; the weights
    are loaded at the first score, or by `load`.

    Attributes:
        name: The name it is registered under.
        architecture: The kind of checkpoint it takes.
        default_template: The template of a run whose user named none.
        default_checkpoint: The checkpoint of a run whose user named none.
    """

    name: ClassVar[str]
    architecture: ClassVar[Architecture]
    default_template: ClassVar[str]
    default_checkpoint: ClassVar[str | None] = None

    def __init__(
        self,
        pretrained: str | None = None,
        *,
        revision: str | None = None,
        dtype: str = "auto",
        device: str | None = None,
        template: str | None = None,
        special_tokens: str | None = None,
        system: str | None = None,
        max_length: int | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | str | None = None,
        max_batch_tokens: int | None = None,
        parallelize: bool = False,
        batching: str = AUTO,
        score_store: str | None = None,
        attn_implementation: str = AUTO,
        torch_compile: bool = False,
        quantization: str | None = None,
        parity: str | None = None,
    ) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder or a hub id, the judge's own default if None; for `ultrarm` also
                `demo`, the tiny judge that comes along.
            revision: Hub revision of the checkpoint.
            dtype: `auto` (as stored), `float32`, `bfloat16` or `float16`, for the body; the final
                norm and the head are always float32.
            device: A torch device; the first GPU if there is one, else the CPU, if None.
            template: See `ultrarm_eval.text_format.template`; the judge's own default if None.
            special_tokens: `text` (spelled-out special tokens are text; also if None) or `parse`
                (they become control tokens, as in the published tutorial).
            system: `error` (a template that refuses a system turn is an error; also if None),
                `fold` (its text goes in front of the user's) or `drop` (it is left out, and
                counted).
            max_length: The most tokens of a text; longer ones are cut on the left. 2048, or the
                model's positions if those are fewer, if None.
            batch_size: The most texts computed together; `auto`, 1 and None set no limit but the
                token budget (1 is what lm-eval passes when its user named none).
            max_batch_size: A further limit on the texts computed together.
            max_batch_tokens: The most tokens computed together, padding included; found from the
                device's free memory if None.
            parallelize: Spread the weights over all GPUs (and the CPU) with accelerate.
            batching: `auto`; `shared` (what texts have in common at their start is computed once),
                `packed` (rows without padding) or `padded`.
            score_store: A file that keeps every reward: what it holds is not computed again, by
                any later run or process with the same model and settings.
            attn_implementation: `auto` (the fastest that is there and right), or one of `sdpa`,
                `flash_attention_2`, `torch_varlen`, `flex_attention`, `eager`.
            torch_compile: Compile the norms and MLPs: slower to start.
            quantization: `int8` or `fp8` weights: less memory, other rewards.
            parity: `rewardbench` makes texts as RewardBench's official runs do; see
                `ultrarm_eval.judges.parity`.

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        dtype_name = checked_dtype(dtype)
        pretrained = self.default_checkpoint if pretrained is None else pretrained
        if pretrained is None:
            raise ConfigurationError(
                "This judge has no default checkpoint: name a folder or a hub id, pretrained=DIR."
            )
        source = str(demo_judge_path()) if pretrained == DEMO_NAME else str(pretrained)
        self._pretrained = str(pretrained)
        self._checkpoint = open_for(
            source, None if revision is None else str(revision), self.architecture
        )
        self._dtype = DTYPES.get(dtype_name, self._checkpoint.stored_dtype)
        self._device = resolve_device(device)
        self._parallelize = checked_flag("parallelize", parallelize)
        self._compiled = checked_flag("torch_compile", torch_compile)
        self._quantization = checked_quantization(quantization, self._device, self._dtype)
        check_memory(
            self._bytes_to_load(),
            self._device,
            parallelize=self._parallelize,
            dtype=self._dtype,
            is_quantized=self._quantization is not None,
        )
        loaded = load_tokenizer(self._checkpoint)
        self._tokenizer = loaded.tokenizer
        self._parity: dict[str, Any] | None = None
        if parity is not None:
            self._parity = parity_settings(
                parity,
                {"special_tokens": special_tokens, "max_length": max_length},
                has_chat_template=bool(self._tokenizer.chat_template),
                template=template,
            )
            template, special_tokens = self._parity["template"], self._parity["special_tokens"]
        self._template = self._find_template(None if template is None else str(template))
        positions = self._positions()
        if self._parity is not None:
            has_chat = bool(self._tokenizer.chat_template)
            self._template = closed_by_eos(self._template, has_chat_template=has_chat)
            max_length = min(self._parity["max_length"], positions or self._parity["max_length"])
        what = f"{self._checkpoint.name}: its tokenizer or its template cannot be used"
        with as_checkpoint_error(what):
            self._encoder = self._make_encoder(
                loaded,
                max_length=checked_max_length(max_length, self._checkpoint.name, positions),
                special_tokens=special_tokens or DEFAULT_SPECIAL_TOKENS,
                system=checked_system(system),
                vocabulary_size=self._checkpoint.config.vocab_size,
                is_sentencepiece=loaded.is_sentencepiece,
                eos_id=loaded.eos_id(self._checkpoint.config),
            )
        self._attention = checked_attention(
            str(attn_implementation), Place(self._checkpoint.config, self._device, self._dtype)
        )
        self._batching, together = self._resolve_batching(batching)
        self._max_tokens = checked_count("max_batch_tokens", max_batch_tokens)
        self._max_texts = max_texts(batch_size, max_batch_size) if together else 1
        self._limits: BatchLimits | None = None
        if self._compiled and self._parallelize:
            raise ConfigurationError(
                "torch_compile and parallelize do not go together: leave one of them out."
            )
        self._store_path = None if score_store is None else checked_store_path(score_store)
        self._store: ScoreStore | None = None
        self._runner: Runner | None = None
        self._counts = TextCounts(self.max_length)
        self._fingerprint = Fingerprint(
            self._checkpoint, self._identifying(), self._other_checkpoints()
        )

    @abstractmethod
    def _load_runner(self) -> Runner:
        """Loads the network and prepares running it."""

    def _find_template(self, requested: str | None) -> Template:
        return get_template(requested or self.default_template, self._tokenizer)

    def _positions(self) -> int | None:
        """The most positions the network has; None for no limit."""
        return positions_of(self._checkpoint.config)

    def _other_checkpoints(self) -> dict[str, Checkpoint]:
        """Further weights that rewards depend on, by name."""
        return {}

    def _outputs_per_token(self) -> int:
        """Numbers the network gives for a token, where that is what takes memory."""
        return 0

    def _make_encoder(self, loaded: LoadedTokenizer, **options: Any) -> TextEncoder:
        return TextEncoder(loaded.tokenizer, self._template, **options)

    def _resolve_batching(self, requested: str) -> tuple[str, bool]:
        """The batching, and whether texts may be computed together."""
        return resolve_batching(requested, self._checkpoint.config, self._attention)

    def _identifying(self) -> dict[str, Any]:
        """The settings that rewards depend on, beside the weights."""
        return {
            # A file's name says nothing: its source does.
            "template": self._template.source or self._template.name,
            "dtype": str(self._dtype),
            "special_tokens": self._encoder.special_tokens,
            "max_length": self.max_length,
            **({"quantization": self._quantization} if self._quantization else {}),
            **self._system(),
        }

    def _system(self) -> dict[str, str]:
        """What is done with system turns, where it is not what always was."""
        system = self._encoder.system
        return {} if system == KEEP else {"system": system}

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
        return _layer_parameters(self._checkpoint)

    @property
    def max_length(self) -> int:
        """The most tokens of a text."""
        return self._encoder.max_length

    def load(self) -> Any:
        """Loads the weights, once."""
        return self._loaded().model

    def _loaded(self) -> Runner:
        if self._runner is None:
            self._runner = self._load_runner()
        return self._runner

    def _batch_limits(self) -> BatchLimits:
        if self._limits is None:
            tokens = self._max_tokens or token_budget(
                self._checkpoint.config,
                self._dtype,
                self._device,
                bytes_to_load=0 if self._runner else self._bytes_to_load(),
                outputs=self._outputs_per_token(),
            )
            self._limits = BatchLimits(tokens, self._max_texts)
        return self._limits

    def _bytes_to_load(self) -> int:
        """Memory that the weights take."""
        return self._bytes_of(self._checkpoint)

    def _bytes_of(self, checkpoint: Checkpoint) -> int:
        if self._quantization is None:
            return checkpoint.weight_bytes(self._dtype)
        layers = _layer_parameters(checkpoint)
        embedded = checkpoint.parameter_count() - layers
        return layers * BYTES_PER_WEIGHT + embedded * self._dtype.itemsize

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        return {
            "pretrained": self._pretrained,
            "revision": self._checkpoint.commit or self._checkpoint.revision,
            "template": self._template.name,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": "parallelized" if self._parallelize else str(self._device),
            "batching": self._batching,
            "attn_implementation": self._attention_used() or self._attention,
            "torch_compile": self._compiled,
            "quantization": self._quantization,
            "max_length": self.max_length,
            "truncation": "left",
            "special_tokens": self._encoder.special_tokens,
            **self._system(),
            "appends_eos": self._template.append_eos,
            **({} if self._parity is None else {"parity": self._parity}),
            "parameters": self._checkpoint.parameter_count(),
            "weights_digest": self._fingerprint.known_weights(),
            "counts": self._counts.as_dict(),
            "scoring_seconds": round(self._counts.seconds, 3),
        }

    def _attention_used(self) -> str | None:
        """The attention that computed, once something was computed."""
        if self._runner is None:
            return None
        if self._batching == PADDED:
            return getattr(self._runner.model.config, "_attn_implementation", None)
        return getattr(self._runner, "kernel_name", None)

    def fingerprint(self) -> str:
        """Identifies weights, template, dtype, special_tokens, max_length and quantisation."""
        return self._fingerprint.digest()

    def known_fingerprint(self) -> str | None:
        """The same, unless it would take reading many gigabytes for a report alone."""
        if type(self).fingerprint is not CheckpointJudge.fingerprint:
            return self.fingerprint()
        return self._fingerprint.known_digest()

    def _opened_store(self) -> ScoreStore | None:
        if self._store_path is not None and self._store is None:
            self._store = ScoreStore(
                self._store_path, self.fingerprint(), self._fingerprint.parts()
            )
        return self._store


def positions_of(config: Any) -> int | None:
    """The most positions of a network; None for no limit, which some configurations write as -1."""
    positions = getattr(config, "max_position_embeddings", None)
    return None if positions is None or positions < 1 else int(positions)


def _layer_parameters(checkpoint: Checkpoint) -> int:
    embedded = int(checkpoint.config.vocab_size) * int(checkpoint.config.hidden_size)
    return checkpoint.parameter_count() - embedded
