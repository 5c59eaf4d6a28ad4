"""Judges that load a checkpoint: inspects the checkpoint and checks every setting."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.fingerprint import Fingerprint
from ultrarm_eval.checkpoints.recommended_length import recommended_length
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer, load_tokenizer
from ultrarm_eval.engine.plan import Plan, joined
from ultrarm_eval.engine.portions import portions
from ultrarm_eval.engine.score_store import ScoreStore, checked_store_path
from ultrarm_eval.engine_settings import TORCH
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.advice import open_for
from ultrarm_eval.judges.computation import Computation
from ultrarm_eval.judges.local_network import Computing, LocalNetwork
from ultrarm_eval.judges.recognition import survey_of
from ultrarm_eval.judges.reward_head import RewardHead
from ultrarm_eval.judges.served_computation import ServedComputation
from ultrarm_eval.judges.text_judge import TextJudge
from ultrarm_eval.judges.text_length import advice_on_cuts, warn_of_length
from ultrarm_eval.judges.text_options import TextOptions
from ultrarm_eval.known_settings import identifying
from ultrarm_eval.messages import Prompt
from ultrarm_eval.settings import CheckpointSettings, make_settings
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.system_turns import KEEP

logger = logging.getLogger(__name__)


class CheckpointJudge(TextJudge):
    """Scores texts with a checkpoint's network.

    All settings are checked when the judge is made; the weights are loaded at the first call of
    `score`, or by `load`. A subclass defines which checkpoints it supports and how it computes a
    reward.

    Attributes:
        name: Its registered name.
        settings_class: Its settings; see `ultrarm_eval.settings`.
        architecture: The type of checkpoint it supports.
        chosen_by: The setting that makes `judge=auto` choose this judge for any checkpoint.
        default_template: The template used if the user names none.
        default_checkpoint: The checkpoint used if the user names none.
        gives_token_rewards: Whether it can compute the reward after each token.
        checks_memory: Whether weights that do not fit into memory are rejected at once; false for
            a judge that is only inspected.
        given: The settings given by the user.
        checkpoint: The checkpoint.
        others: Further checkpoints that rewards depend on, by name.
        network: Computes its values.
        device: The device in use.
        dtype: The dtype of the model's body.
        recommended_length: The text length that the checkpoint recommends; None if it recommends
            none.
    """

    name: ClassVar[str]
    settings_class: ClassVar[type[CheckpointSettings]] = CheckpointSettings
    architecture: ClassVar[Architecture]
    chosen_by: ClassVar[str | None] = None
    default_template: ClassVar[str]
    default_checkpoint: ClassVar[str | None] = None
    gives_token_rewards: ClassVar[bool] = True
    checks_memory: ClassVar[bool] = True

    def __init__(self, pretrained: str | None = None, **settings: Any) -> None:
        """Checks the settings and prepares the tokenizer.

        Args:
            pretrained: A folder or a hub id, the judge's own default if None; also `demo`, the
                small judge that comes with the package.
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
                "This judge has no default checkpoint. Set pretrained=DIR to a folder or a hub id."
            )
        self.given = given
        survey = survey_of(
            given.pretrained, given.revision, peft=given.peft, peft_revision=given.peft_revision
        )
        self.checkpoint = open_for(survey, self.kind_of(survey))
        _say_adapter(self.checkpoint)
        self.others = self.open_others()
        loaded = load_tokenizer(self.checkpoint)
        self._store_path = _checked_store(given.score_store)
        self._store: ScoreStore | None = None
        head = self.make_head(loaded)
        self._texts = TextOptions.of(
            given,
            head,
            loaded.tokenizer,
            self.default_template,
            judge=self.name,
            name=self.checkpoint.name,
        )
        encoder = self._texts.encoder(head, loaded, self.checkpoint)
        self.network = self._computation(head, encoder, loaded.tokenizer)
        self.recommended_length = recommended_length(self.checkpoint, loaded.tokenizer)
        warn_of_length(self.checkpoint.name, given.max_length)
        advice = advice_on_cuts(self.recommended_length, encoder.max_length, given.parity)
        super().__init__(
            encoder, self.network.engine, head, loaded.tokenizer, self.opened_store, advice
        )
        self._fingerprint = Fingerprint(self.checkpoint, self._identity(), self.others)

    @abstractmethod
    def make_head(self, loaded: LoadedTokenizer) -> RewardHead:
        """Makes the head that computes the reward from the checkpoint.

        Args:
            loaded: The checkpoint's tokenizer.
        """

    def kind_of(self, survey: Survey) -> Architecture:
        """The type of a checkpoint, if a judge supports several types or settings determine it.

        Args:
            survey: Its small files.

        Raises:
            CheckpointError: The checkpoint has none of the types.
        """
        return self.architecture

    def open_others(self) -> dict[str, Checkpoint]:
        """Opens further checkpoints that rewards depend on, by name."""
        return {}

    @classmethod
    def takes(cls) -> str:
        """Which checkpoints it supports, in a line of Markdown."""
        named = cls.default_checkpoint
        link = "" if named is None else f" ([{named}](https://huggingface.co/{named}))"
        return f"{cls.architecture.known_as}{link}"

    @classmethod
    def reads(cls) -> str:
        """How the reward is computed, in a line."""
        return cls.architecture.reading

    @property
    def device(self) -> torch.device:
        """The device of this process that is in use; the CPU if rewards are computed elsewhere."""
        network = self.network
        return network.device if isinstance(network, LocalNetwork) else torch.device("cpu")

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the model's body."""
        return self.network.dtype

    @property
    def hidden_size(self) -> int:
        """The hidden size of the model."""
        return int(self.checkpoint.config.hidden_size)

    def layer_parameters(self) -> int:
        """Parameters that every token is multiplied with: all except the embedding."""
        return self.checkpoint.layer_parameters()

    def load(self) -> Any:
        """Loads the weights, once."""
        return self.network.load()

    def plan(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> tuple[Plan, int]:
        """Plans the scoring of completions without loading the weights.

        Returns:
            The plan for the distinct texts, and how many of those are truncated to `max_length`.
        """
        plans, cut = [], 0
        for portion in portions(self._encoder, prompts, completions):
            cut += len({t.tokens for t in portion.texts if t.truncated and t.tokens in portion.new})
            plans.append(self.network.plan(sorted(portion.new, key=lambda t: t.identity)))
        return joined(plans), cut

    def score_one_at_a_time(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> list[float]:
        """Scores each completion in its own forward pass through the complete model.

        This is the reference implementation that faster ones are compared with.
        """
        return [
            self.network.compute_alone(encoded.tokens)
            for encoded in self._encoder.encode(prompts, completions)
        ]

    def settings(self) -> dict[str, Any]:
        """The settings that rewards depend on, and counts of the texts."""
        given, checkpoint, said = self.given, self.checkpoint, self.recommended_length
        engine, parity = self.network.engine, self._texts.parity
        return {
            "pretrained": given.pretrained,
            **self._origins(),
            "template": self._texts.template.name,
            "engine": engine.name,
            "engine_version": engine.version,
            "dtype": str(self.dtype).removeprefix("torch."),
            **self.network.settings(),
            "max_length": self.max_length,
            **({} if said is None else {"recommended_max_length": said.to_json()}),
            "truncation": "left",
            "special_tokens": self._encoder.special_tokens,
            **self._system(),
            "appends_eos": self._texts.template.append_eos,
            **({} if parity is None else {"parity": parity}),
            "parameters": checkpoint.parameter_count(),
            "weights_digest": self._fingerprint.known_weights(),
            "counts": self._counts.as_dict(),
            "scoring_seconds": round(self._counts.seconds, 3),
            **self._head.settings(),
        }

    def identifies(self) -> dict[str, Any]:
        """The settings in results that the rewards depend on in addition to the weights."""
        reported = self.settings()
        if not self.network.engine.identity():
            # Earlier versions always computed with torch, and did not record it.
            del reported["engine"]
        return {name: reported[name] for name in identifying() if reported.get(name) is not None}

    def describes(self) -> dict[str, Any]:
        """How and where the rewards are computed."""
        others = {"counts", "scoring_seconds", *identifying()} - {"engine"}
        others |= self.identifies().keys()
        return {name: value for name, value in self.settings().items() if name not in others}

    def fingerprint(self) -> str:
        """Identifies weights, template, dtype, special_tokens, max_length and quantization."""
        return self._fingerprint.digest()

    def known_fingerprint(self) -> str | None:
        """The fingerprint; None if it would read many gigabytes only for a report."""
        if type(self).fingerprint is not CheckpointJudge.fingerprint:
            return self.fingerprint()
        return self._fingerprint.known_digest()

    def opened_store(self) -> ScoreStore | None:
        """The score store, if there is one; opened on first use."""
        if self._store_path is not None and self._store is None:
            parts = self._fingerprint.parts()
            self._store = ScoreStore(self._store_path, self.fingerprint(), parts)
        return self._store

    def _computation(self, head: RewardHead, encoder: TextEncoder, tokenizer: Any) -> Computation:
        """Makes the computation of the engine that the settings name."""
        given, checkpoints = self.given, [self.checkpoint, *self.others.values()]
        if given.computed_by != TORCH:
            return ServedComputation(self.name, given, self.checkpoint, head, encoder, tokenizer)
        computing = Computing.of(given, checkpoints, checks_memory=self.checks_memory)
        batching, together = head.batching(given.batching, computing, encoder.max_length)
        return LocalNetwork(
            lambda: head.runner(computing, batching),
            computing,
            checkpoints,
            batching=batching,
            max_texts=given.max_texts if together else 1,
            max_tokens=given.max_batch_tokens,
            outputs_per_token=head.outputs_per_token(),
            capabilities=head.capabilities(),
            compose=head.compose,
        )

    def _identity(self) -> dict[str, Any]:
        """The settings that rewards depend on, in addition to the weights."""
        quantization = self.given.quantization
        template = self._texts.template
        return {
            # The name of a file does not identify a template: its source does.
            "template": template.source or template.name,
            "dtype": str(self.dtype),
            "special_tokens": self._encoder.special_tokens,
            "max_length": self.max_length,
            **({"quantization": quantization} if quantization else {}),
            **self._system(),
            **({"appends_eos": True} if self._texts.adds_eos else {}),
            **self.network.engine.identity(),
            **self._head.identity(),
        }

    def _origins(self) -> dict[str, str | None]:
        """Revisions; for an adapter its base, or for a checkpoint the adapter merged into it."""
        checkpoint, adapter = self.checkpoint, self.checkpoint.adapter
        revision = checkpoint.commit or checkpoint.revision
        if adapter is None:
            return {"revision": revision}
        of_adapter = adapter.commit or adapter.revision
        if adapter.is_alone:
            base = {"base": checkpoint.name, "base_revision": revision}
            return {"revision": of_adapter, **base}
        return {"revision": revision, "peft": adapter.name, "peft_revision": of_adapter}

    def _system(self) -> dict[str, str]:
        """How system turns are handled, if not in the default way."""
        system = self._encoder.system
        return {} if system == KEEP else {"system": system}


def _say_adapter(checkpoint: Checkpoint) -> None:
    if checkpoint.adapter is None or checkpoint.adapted is None:
        return
    logger.info(
        "Merging the adapter %s into %s (%d weights). The padding token has the id %s.",
        checkpoint.adapter.name,
        checkpoint.name,
        len(checkpoint.adapted.changed),
        getattr(checkpoint.config, "pad_token_id", None),
    )


def _checked_store(path: str | None) -> Path | None:
    return None if path is None else checked_store_path(path)
