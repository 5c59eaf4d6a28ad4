"""A judge that reads a checkpoint: what it is made of is found out, and every setting checked."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
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
from ultrarm_eval.engine.kernels.choice import Place, checked_attention
from ultrarm_eval.engine.local_engine import BatchLimits, LocalEngine
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import ScoreStore, checked_store_path
from ultrarm_eval.engine.token_budget import token_budget
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.auto import open_for
from ultrarm_eval.judges.parity import closed_by_eos, parity_settings
from ultrarm_eval.judges.reward_head import Computing, RewardHead
from ultrarm_eval.judges.text_judge import TextJudge
from ultrarm_eval.settings import (
    SPECIAL_TOKENS,
    CheckpointSettings,
    identifying,
    make_settings,
)
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.system_turns import KEEP, checked_system
from ultrarm_eval.text_format.template import Template

_DEFAULT_MAX_LENGTH = 2048


class CheckpointJudge(TextJudge):
    """Scores texts with a checkpoint's network.

    Everything that can be wrong with the settings is found when the judge is made; the weights
    are loaded at the first score, or by `load`. A kind of judge says which checkpoints it takes
    and how it reads a reward.

    Attributes:
        name: The name it is registered under.
        settings_class: Its settings; see `ultrarm_eval.settings`.
        architecture: The kind of checkpoint it takes.
        default_template: The template of a run whose user named none.
        default_checkpoint: The checkpoint of a run whose user named none.
        given: The settings that it was given.
        checkpoint: The checkpoint.
        others: Further checkpoints that rewards depend on, by name.
        device: The device really used.
        dtype: The dtype of the model's body.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[CheckpointSettings]] = CheckpointSettings
    architecture: ClassVar[Architecture]
    default_template: ClassVar[str]
    default_checkpoint: ClassVar[str | None] = None

    def __init__(self, pretrained: str | None = None, **settings: Any) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder or a hub id, the judge's own default if None; also `demo`, the
                tiny judge that comes along.
            **settings: See `ultrarm_eval.settings`.

        Raises:
            UltrarmEvalError: A setting, the checkpoint or the device cannot be used.
        """
        pretrained = self.default_checkpoint if pretrained is None else pretrained
        given = make_settings(
            self.settings_class, {"pretrained": pretrained, **settings}, self.name
        )
        if given.pretrained is None:
            raise ConfigurationError(
                "This judge has no default checkpoint: name a folder or a hub id, pretrained=DIR."
            )
        self.given = given
        source = str(demo_judge_path()) if given.pretrained == DEMO_NAME else given.pretrained
        self.checkpoint = open_for(source, given.revision, self.architecture)
        self.others = self.open_others()
        self._computing = self._checked_computing()
        loaded = load_tokenizer(self.checkpoint)
        self._head = self.make_head(loaded)
        self._parity, self._named, self._template = self._templates(loaded.tokenizer)
        encoder = self._make_encoder(loaded)
        batching, together = self._head.batching(
            given.batching, self._computing, encoder.max_length
        )
        self._batching, self._max_texts = batching, given.max_texts if together else 1
        if given.torch_compile and given.parallelize:
            raise ConfigurationError(
                "torch_compile and parallelize do not go together: leave one of them out."
            )
        self._store_path = self._checked_store_path()
        self._store: ScoreStore | None = None
        self._runner: Runner | None = None
        self._limits: BatchLimits | None = None
        engine = LocalEngine(self._loaded, self._batch_limits, batching, self._head.capabilities())
        super().__init__(encoder, engine, self._head, loaded.tokenizer, self.opened_store)
        self._fingerprint = Fingerprint(self.checkpoint, self._identity(), self.others)

    @abstractmethod
    def make_head(self, loaded: LoadedTokenizer) -> RewardHead:
        """How a reward is read from the checkpoint.

        Args:
            loaded: The checkpoint's tokenizer.
        """

    def open_others(self) -> dict[str, Checkpoint]:
        """Opens further checkpoints that rewards depend on, by name."""
        return {}

    @property
    def device(self) -> torch.device:
        """The device really used."""
        return self._computing.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the model's body."""
        return self._computing.dtype

    @property
    def hidden_size(self) -> int:
        """The width of the model."""
        return int(self.checkpoint.config.hidden_size)

    def layer_parameters(self) -> int:
        """Parameters that every token is multiplied with: all but the embedding."""
        return _layer_parameters(self.checkpoint)

    def load(self) -> Any:
        """Loads the weights, once."""
        return self._loaded().model

    def settings(self) -> dict[str, Any]:
        """The settings the rewards depend on, and what happened to the texts."""
        given, checkpoint = self.given, self.checkpoint
        return {
            "pretrained": given.pretrained,
            "revision": checkpoint.commit or checkpoint.revision,
            "template": self._template.name,
            "dtype": str(self.dtype).removeprefix("torch."),
            "device": "parallelized" if given.parallelize else str(self.device),
            "batching": self._batching,
            "attn_implementation": self._attention_used() or self._computing.attention,
            "torch_compile": given.torch_compile,
            "quantization": given.quantization,
            "max_length": self.max_length,
            "truncation": "left",
            "special_tokens": self._encoder.special_tokens,
            **self._system(),
            "appends_eos": self._template.append_eos,
            **({} if self._parity is None else {"parity": self._parity}),
            "parameters": checkpoint.parameter_count(),
            "weights_digest": self._fingerprint.known_weights(),
            "counts": self._counts.as_dict(),
            "scoring_seconds": round(self._counts.seconds, 3),
            **self._head.settings(),
        }

    def identifies(self) -> dict[str, Any]:
        """What the rewards depend on beside the weights, as results report it."""
        reported = self.settings()
        return {name: reported[name] for name in identifying() if reported.get(name) is not None}

    def describes(self) -> dict[str, Any]:
        """How and where the rewards are computed."""
        others = {"counts", "scoring_seconds", *identifying()}
        return {name: value for name, value in self.settings().items() if name not in others}

    def fingerprint(self) -> str:
        """Identifies weights, template, dtype, special_tokens, max_length and quantisation."""
        return self._fingerprint.digest()

    def known_fingerprint(self) -> str | None:
        """The same, unless it would take reading many gigabytes for a report alone."""
        if type(self).fingerprint is not CheckpointJudge.fingerprint:
            return self.fingerprint()
        return self._fingerprint.known_digest()

    def opened_store(self) -> ScoreStore | None:
        """The score store, if there is one; opened the first time."""
        if self._store_path is not None and self._store is None:
            parts = self._fingerprint.parts()
            self._store = ScoreStore(self._store_path, self.fingerprint(), parts)
        return self._store

    def _checked_computing(self) -> Computing:
        """How and where the network computes, where the weights fit."""
        given = self.given
        device = resolve_device(given.device)
        dtype = DTYPES.get(given.dtype, self.checkpoint.stored_dtype)
        computing = Computing(
            device=device,
            dtype=dtype,
            parallelize=given.parallelize,
            compiled=given.torch_compile,
            attention=checked_attention(
                str(given.attn_implementation), Place(self.checkpoint.config, device, dtype)
            ),
            quantization=checked_quantization(given.quantization, device, dtype),
        )
        check_memory(
            self._bytes_to_load(computing),
            device,
            parallelize=given.parallelize,
            dtype=dtype,
            is_quantized=given.quantization is not None,
        )
        return computing

    def _templates(self, tokenizer: Any) -> tuple[dict[str, Any] | None, Template, Template]:
        """What `parity` stands for, if it is set; the template that is named, and as it is used."""
        given, parity, requested = self.given, None, self.given.template
        has_chat_template = bool(tokenizer.chat_template)
        if given.parity is not None:
            parity = parity_settings(
                given.parity,
                {"special_tokens": given.special_tokens, "max_length": given.max_length},
                has_chat_template=has_chat_template,
                template=requested,
            )
            requested = str(parity["template"])
        named = self._head.template(requested, self.default_template, tokenizer)
        if parity is None:
            return None, named, named
        return parity, named, closed_by_eos(named, has_chat_template=has_chat_template)

    def _make_encoder(self, loaded: LoadedTokenizer) -> TextEncoder:
        given, checkpoint, positions = self.given, self.checkpoint, self._head.positions()
        max_length, special_tokens = given.max_length, given.special_tokens
        if self._parity is not None:
            special_tokens = self._parity["special_tokens"]
            max_length = min(self._parity["max_length"], positions or self._parity["max_length"])
        what = f"{checkpoint.name}: its tokenizer or its template cannot be used"
        with as_checkpoint_error(what):
            return self._head.encoder(
                loaded,
                self._template,
                max_length=_checked_max_length(max_length, checkpoint.name, positions),
                special_tokens=special_tokens or SPECIAL_TOKENS[0],
                system=checked_system(given.system),
                vocabulary_size=checkpoint.config.vocab_size,
                is_sentencepiece=loaded.is_sentencepiece,
                eos_id=loaded.eos_id(checkpoint.config),
            )

    def _checked_store_path(self) -> Path | None:
        path = self.given.score_store
        return None if path is None else checked_store_path(path)

    def _identity(self) -> dict[str, Any]:
        """The settings that rewards depend on, beside the weights."""
        quantization = self.given.quantization
        # A template's own EOS is in its name; one that parity adds is not.
        adds_eos = self._template.append_eos and not self._named.append_eos
        return {
            # A file's name says nothing: its source does.
            "template": self._template.source or self._template.name,
            "dtype": str(self.dtype),
            "special_tokens": self._encoder.special_tokens,
            "max_length": self.max_length,
            **({"quantization": quantization} if quantization else {}),
            **self._system(),
            **({"appends_eos": True} if adds_eos else {}),
            **self._head.identity(),
        }

    def _system(self) -> dict[str, str]:
        """What is done with system turns, where it is not what always was."""
        system = self._encoder.system
        return {} if system == KEEP else {"system": system}

    def _loaded(self) -> Runner:
        if self._runner is None:
            self._runner = self._head.runner(self._computing, self._batching)
        return self._runner

    def _batch_limits(self) -> BatchLimits:
        """The limits of a batch; they shrink for good when the device's memory runs out."""
        if self._limits is None:
            tokens = self.given.max_batch_tokens or token_budget(
                self.checkpoint.config,
                self.dtype,
                self.device,
                bytes_to_load=0 if self._runner else self._bytes_to_load(self._computing),
                outputs=self._head.outputs_per_token(),
            )
            self._limits = BatchLimits(tokens, self._max_texts)
        return self._limits

    def _bytes_to_load(self, computing: Computing) -> int:
        """Memory that the weights take."""
        return sum(_bytes_of(one, computing) for one in (self.checkpoint, *self.others.values()))

    def _attention_used(self) -> str | None:
        """The attention that computed, once something was computed."""
        if self._runner is None:
            return None
        if self._batching == PADDED:
            return getattr(self._runner.model.config, "_attn_implementation", None)
        return getattr(self._runner, "kernel_name", None)


def _bytes_of(checkpoint: Checkpoint, computing: Computing) -> int:
    if computing.quantization is None:
        return checkpoint.weight_bytes(computing.dtype)
    layers = _layer_parameters(checkpoint)
    embedded = checkpoint.parameter_count() - layers
    return layers * BYTES_PER_WEIGHT + embedded * computing.dtype.itemsize


def _layer_parameters(checkpoint: Checkpoint) -> int:
    embedded = int(checkpoint.config.vocab_size) * int(checkpoint.config.hidden_size)
    return checkpoint.parameter_count() - embedded


def _checked_max_length(max_length: object, name: str, positions: int | None) -> int:
    """The most tokens of a text, within the model's positions.

    Args:
        max_length: What the user set; None for the default.
        name: The checkpoint, for messages.
        positions: The model's positions; None if it has no limit.
    """
    if max_length is None:
        return min(_DEFAULT_MAX_LENGTH, positions or _DEFAULT_MAX_LENGTH)
    number = int(str(max_length)) if str(max_length).isdecimal() else 0
    if number < 1 or (positions is not None and number > positions):
        raise ConfigurationError(
            f"max_length={max_length!r} is not allowed: {name} has {positions} "
            f"positions, so it is a whole number from 1 to {positions}."
            if positions is not None
            else f"max_length={max_length!r} is not allowed: it is a whole number of at least 1."
        )
    return number
