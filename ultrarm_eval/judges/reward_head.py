"""How a reward is computed from a network.

A judge is a text format, an engine and a head: the text format makes tokens of prompt and
completion (`ultrarm_eval.text_format`), the engine computes a value for them
(`ultrarm_eval.engine`), and the head defines that value: which encoder makes its input, and which
network and runner compute it. A new head is a `RewardHead`, here or next to its judge, which makes
it in `make_head`.
"""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES, DecoderRewardModel
from ultrarm_eval.checkpoints.model_loading import load_decoder, load_own_forward
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.engine.batching import (
    resolve_batching,
    why_alone,
    why_no_rows,
    why_not_in_parts,
)
from ultrarm_eval.engine.decoder_runner import DecoderRunner, compile_layers
from ultrarm_eval.engine.engine import Capabilities, Computed
from ultrarm_eval.engine.kernels.choice import PADDED_KERNELS
from ultrarm_eval.engine.plan import PADDED
from ultrarm_eval.engine.reads import Compose
from ultrarm_eval.engine.runner import Runner
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.setting import AUTO
from ultrarm_eval.text_format.completion_encoder import CompletionEncoder
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.text_end import TextEnd
from ultrarm_eval.text_format.tokens import Tokens

__all__ = ["DecoderHead", "LanguageModelHead", "RewardHead"]

logger = logging.getLogger(__name__)


class RewardHead(ABC):
    """How a reward is computed from a checkpoint's network.

    Attributes:
        checkpoint: The checkpoint.
        may_lack: Whether a text may have no reward.
        compose: Computes the reward of a text, and the details stored with it in results, from the
            network's outputs at the tokens that its encoder names (`Tokens.reads`); None if the
            network outputs the reward itself, at the last token.
        unread_id: The token at the end of a text that the network skips, if the encoder leaves it
            there; None if there is none.
    """

    may_lack = False
    compose: Compose | None = None
    unread_id: int | None = None

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Takes the checkpoint; its weights are not loaded."""
        self.checkpoint = checkpoint

    @abstractmethod
    def runner(self, computing: Computing, batching: str) -> Runner:
        """Loads the network, and prepares to run it."""

    @abstractmethod
    def batching(self, requested: str, computing: Computing, max_length: int) -> tuple[str, bool]:
        """The batching, and whether texts may be computed together.

        Raises:
            ConfigurationError: The network does not support it.
        """

    def capabilities(self) -> Capabilities:
        """What the network can do besides computing a value for a complete text."""
        return Capabilities()

    def settings(self) -> dict[str, Any]:
        """The head's own settings, as results report them."""
        return {}

    def identity(self) -> dict[str, Any]:
        """What rewards depend on besides weights and texts, for the fingerprint."""
        return {}

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """The prompt template.

        Args:
            requested: The template that the user named.
            default: The judge's own.
            tokenizer: The checkpoint's.
        """
        return get_template(requested or default, tokenizer)

    def positions(self) -> int | None:
        """The maximum number of tokens of the network; None for no limit."""
        return self.checkpoint.positions

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """Makes the encoder of the head's tokens."""
        return TextEncoder(loaded.tokenizer, template, **options)

    def read_at(self, text: Tokens) -> tuple[int, ...]:
        """The positions of the tokens at which the network's output is used.

        Args:
            text: A text of this head's encoder.

        Returns:
            Positions, counted from 0; empty if the reward depends on the complete text.
        """
        ids = list(text)
        while len(ids) > 1 and ids[-1] == self.unread_id:
            ids.pop()
        return text.reads or (len(ids) - 1,)

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """How a text ends, where the head is read, for a converted checkpoint.

        Args:
            tokenizer: The checkpoint's.

        Returns:
            None if the reward is not computed at a text's last token, or is computed like
            transformers' sequence classification class does.
        """
        return None

    def why_not_served(self) -> str | None:
        """Why only the torch engine can compute its reward; None if other engines can.

        Other engines output one number per text, a decoder's output at the text's last token.
        """
        return "its reward is computed differently"

    def outputs_per_token(self) -> int:
        """Numbers that the network outputs per token, if they dominate memory."""
        return 0

    def judgement(self, _: Tokens, computed: Computed) -> Judgement:
        """The judgement of a text; details that are a mapping are stored with the reward."""
        return Judgement(computed.reward, extra=computed.details or {})

    def stored(self, store: ScoreStore, texts: Sequence[bytes]) -> dict[bytes, Computed]:
        """The results in a store, by the identities of the texts."""
        rewards = store.find(texts)
        if self.compose is None:
            return {text: Computed(reward) for text, reward in rewards.items()}
        details = {text: json.loads(line) for text, line in store.find_details(texts).items()}
        return {t: Computed(rewards[t], details[t]) for t in rewards.keys() & details.keys()}


class DecoderHead(RewardHead):
    """A head on a decoder, computed at a text's last token.

    Attributes:
        reads_several: Whether it uses other tokens as well.
    """

    reads_several = False

    def __init__(self, checkpoint: Checkpoint, **encoding: Any) -> None:
        """Takes the checkpoint.

        Args:
            checkpoint: The checkpoint; its network is a `DecoderRewardModel`.
            **encoding: Further options of the encoder.
        """
        super().__init__(checkpoint)
        self._encoding = encoding

    @property
    def _is_of_llamas_make(self) -> bool:
        return self.checkpoint.config.model_type in DECODER_FAMILIES

    def capabilities(self) -> Capabilities:
        """See `RewardHead.capabilities`."""
        # Otherwise a token's output depends on the length of the text, or on what follows.
        in_one_pass = why_alone(self.checkpoint.config) is None and self.compose is None
        return Capabilities(token_rewards=in_one_pass)

    def text_end(self, tokenizer: Any) -> TextEnd | None:
        """See `RewardHead.text_end`."""
        return None if self.why_not_served() else TextEnd(self._encoding.get("final_id"))

    def why_not_served(self) -> str | None:
        """See `RewardHead.why_not_served`."""
        if self.compose is not None or self.reads_several:
            return "its reward is computed from several tokens or several outputs"
        return None

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        return super().encoder(loaded, template, **options, **self._encoding)

    def batching(self, requested: str, computing: Computing, max_length: int) -> tuple[str, bool]:
        """See `RewardHead.batching`."""
        config = self.checkpoint.config
        in_parts = why_not_in_parts(config, max_length) if self.reads_several else None
        if in_parts is not None:
            raise ConfigurationError(
                f"{self.checkpoint.name}: its reward is computed at several tokens of a text, "
                f"each as the end of a prefix, and {in_parts}. Set max_length to that number or "
                "less."
            )
        obstacle = why_no_rows(config, max_length)
        if not self._is_of_llamas_make:
            obstacle = (
                f"only {', '.join(DECODER_FAMILIES)} models can be computed exactly without "
                f"padding, and this is a {config.model_type} model"
            )
        if obstacle is not None and computing.compiled and not self._is_of_llamas_make:
            raise ConfigurationError(
                f"torch_compile supports {', '.join(DECODER_FAMILIES)} models; this is a "
                f"{config.model_type} model. Remove torch_compile."
            )
        if obstacle is None:
            return resolve_batching(requested, config, computing.attention)
        if requested not in (AUTO, PADDED):
            raise ConfigurationError(
                f"batching={requested} is not exact for {self.checkpoint.name}: {obstacle}. Use "
                f"batching={AUTO} or batching={PADDED}."
            )
        logger.info("Texts are padded instead of packed: %s.", obstacle)
        return resolve_batching(PADDED, config, computing.attention)

    def runner(self, computing: Computing, batching: str) -> Runner:
        """See `RewardHead.runner`."""
        model = load_decoder(
            self.checkpoint,
            cast(type[DecoderRewardModel], type(self.checkpoint.network)),
            computing.dtype,
            computing.device,
            parallelize=computing.parallelize,
            attention=computing.own_attention if batching == PADDED else None,
            quantization=computing.quantization,
        )
        if computing.compiled:
            compile_layers(model)
        return DecoderRunner(
            model,
            attn_implementation=computing.attention,
            compiled=computing.compiled,
            padded=batching == PADDED,
        )


class LanguageModelHead(RewardHead):
    """A causal language model, run padded through its own forward pass.

    Attributes:
        name: The judge, for messages.
    """

    name: str

    def capabilities(self) -> Capabilities:
        """See `RewardHead.capabilities`."""
        return Capabilities(token_rewards=True, likelihoods=True)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        return CompletionEncoder(loaded.tokenizer, template, **options)

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return {"judge": self.name, **self.settings()}

    def read_at(self, text: Tokens) -> tuple[int, ...]:
        """See `RewardHead.read_at`; likelihoods and critiques depend on many tokens."""
        return ()

    def outputs_per_token(self) -> int:
        """See `RewardHead.outputs_per_token`."""
        return int(self.checkpoint.config.vocab_size)

    def batching(self, requested: str, computing: Computing, max_length: int) -> tuple[str, bool]:
        """See `RewardHead.batching`."""
        served = computing.attention in (AUTO, *PADDED_KERNELS)
        if requested not in (AUTO, PADDED) or not served or computing.compiled:
            raise ConfigurationError(
                f"judge={self.name} needs padded texts: batching={PADDED}, attn_implementation "
                f"{AUTO} or one of {', '.join(PADDED_KERNELS)}, and no torch_compile. Given were "
                f"batching={requested}, attn_implementation={computing.attention}, "
                f"torch_compile={computing.compiled}."
            )
        return resolve_batching(PADDED, self.checkpoint.config)

    def load(self, checkpoint: Checkpoint, computing: Computing) -> Any:
        """The language model of a checkpoint."""
        from transformers import AutoModelForCausalLM

        return own_forward(AutoModelForCausalLM, checkpoint, computing)


def own_forward(auto_class: Any, checkpoint: Checkpoint, computing: Computing) -> Any:
    """A model loaded with one of transformers' auto classes."""
    return load_own_forward(
        auto_class,
        checkpoint,
        computing.dtype,
        computing.device,
        parallelize=computing.parallelize,
        attention=computing.own_attention,
        quantization=computing.quantization,
    )
