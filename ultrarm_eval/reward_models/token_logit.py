"""Language models whose logit of one token, or log odds of two, is the reward.

Llama-3.1- and Llama-3.3-Nemotron-70B-Reward (NVIDIA) are examples: the conversation is rendered
without a generation prompt, and the reward is the logit of the token 0 after its last token (model
cards, which generate one token and take `scores[0][0][0]`). Another is a verifier that answers Yes
or No to a question: the reward is the log odds where its answer would begin.

For decoders with Llama's architecture, these rows of the language head are the reward head, and
texts are computed without padding. Every other family runs through its own forward pass, which may
scale or cap logits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.causal_language_model import CausalLanguageModel
from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.decoder_reward_model import DECODER_FAMILIES
from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import Linear32
from ultrarm_eval.checkpoints.language_head import language_head, require_language_head
from ultrarm_eval.checkpoints.named_token import token_id
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.engine.engine import Capabilities
from ultrarm_eval.engine.token_logit_runner import TokenLogitRunner
from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judge_settings import TokenLogitSettings
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.judges.loading import no_token_rewards
from ultrarm_eval.judges.local_network import Computing
from ultrarm_eval.judges.reward_head import DecoderHead, LanguageModelHead, RewardHead
from ultrarm_eval.messages import Prompt
from ultrarm_eval.settings import ANSWER
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.jinja_template import CHAT_TEMPLATE
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import asking_template, get_template
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

#: Names of checkpoints whose reward is the logit of the token 0; generative ones are excluded.
_NEMOTRON = re.compile(r"nemotron(?!.*genrm).*-reward")
_NEMOTRON_CLASS = "LlamaForCausalLM"


class TokenLogit(HeadedDecoder):
    """A causal language model of Llama's architecture; its head is a row of its language head."""

    known_as = "a language model whose reward is a token's logit"
    classes = frozenset()
    families = frozenset(DECODER_FAMILIES)

    def __init__(self, token: int = 0, contrast: int | None = None) -> None:
        """Takes the tokens.

        Args:
            token: The token whose logit is the reward.
            contrast: A second token, whose logit is subtracted.
        """
        self.token, self.contrast = token, contrast
        less = "" if contrast is None else f" minus that of the token {contrast}"
        self.reading = f"the logit of the token {token}{less} at the end of the text"

    def arguments(self) -> dict[str, Any]:
        """See `Architecture.arguments`."""
        return {"token": self.token, "contrast": self.contrast}

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; by the checkpoint's name, as config.json does not tell."""
        is_causal = survey.classes == (_NEMOTRON_CLASS,) and survey.model_type == "llama"
        return is_causal and is_nemotron(survey)

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        return {"weight": WeightSource((language_head(survey),), self._row)}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        return Linear32(config.hidden_size, 1, bias=False)

    def require_weights(self, survey: Survey, network: nn.Module) -> None:
        """See `Architecture.require_weights`."""
        super().require_weights(survey, network)
        require_language_head(survey, network.config)

    def _row(self, weight: torch.Tensor) -> torch.Tensor:
        row = weight[self.token].float()
        return (row if self.contrast is None else row - weight[self.contrast].float())[None]


def is_nemotron(survey: Survey) -> bool:
    """Whether a checkpoint has the name of one of Nemotron's reward models.

    Args:
        survey: Its small files.
    """
    return any(map(_NEMOTRON.search, survey.called))


class TokenLogitJudge(CheckpointJudge):
    """Scores texts by the logit of a token, or the log odds of two, under a language model."""

    name = "token-logit"
    settings_class = TokenLogitSettings
    given: TokenLogitSettings
    architecture = TokenLogit()
    chosen_by = "token"
    default_template = CHAT_TEMPLATE
    default_checkpoint = "nvidia/Llama-3.1-Nemotron-70B-Reward-HF"

    @classmethod
    def reads(cls) -> str:
        """See `CheckpointJudge.reads`."""
        return (
            "the logit of one token, or the log odds of two (`contrast`), at the conversation's "
            "last token, or where the answer to a question about it would begin "
            "(`position=answer`)"
        )

    def kind_of(self, survey: Survey) -> Architecture:
        """See `CheckpointJudge.kind_of`."""
        given = self.given
        self._tokens = tokens_of(survey, given.token, given.contrast)
        if survey.model_type in DECODER_FAMILIES:
            return TokenLogit(*self._tokens)
        return CausalLanguageModel()

    def make_head(self, loaded: LoadedTokenizer) -> RewardHead:
        """See `CheckpointJudge.make_head`."""
        names = [
            None if one is None else f"{loaded.tokenizer.convert_ids_to_tokens(one)} ({one})"
            for one in self._tokens
        ]
        own = {"token": names[0], "contrast": names[1], "position": self.given.position}
        if self.checkpoint.config.model_type in DECODER_FAMILIES:
            return RowLogit(self.checkpoint, own)
        return OwnLogit(self.checkpoint, own, self._tokens)

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """See `TextJudge.rewards_after_tokens`.

        Raises:
            ConfigurationError: The judge scores complete answers (`position=answer`).
        """
        if self.given.position == ANSWER:
            raise no_token_rewards(self.name, f"with position={ANSWER} it scores a complete answer")
        return super().rewards_after_tokens(prompt, completion)


class _AskingEncoder(TextEncoder):
    """Encodes texts as `TextEncoder` does; a missing prompt counts as an empty one."""

    def check(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> None:
        """See `TextEncoder.check`."""
        super().check(_asked(prompts), completions)

    def encode(
        self,
        prompts: Sequence[Prompt],
        completions: Sequence[str],
        numbers: Sequence[int] | None = None,
    ) -> Iterator[EncodedText]:
        """See `TextEncoder.encode`."""
        yield from super().encode(_asked(prompts), completions, numbers)


def _asked(prompts: Sequence[Prompt]) -> list[Prompt]:
    return ["" if prompt is None or prompt == [] else prompt for prompt in prompts]


class _Asked(RewardHead):
    """Settings, template and encoder of the judge, for every way to run the network."""

    _own: Mapping[str, Any]

    @property
    def _is_asked(self) -> bool:
        return bool(self._own["position"] == ANSWER)

    def settings(self) -> dict[str, Any]:
        """See `RewardHead.settings`."""
        return {name: value for name, value in self._own.items() if value is not None}

    def identity(self) -> dict[str, Any]:
        """See `RewardHead.identity`."""
        return {"judge": TokenLogitJudge.name, **self.settings()}

    def read_at(self, text: Tokens) -> tuple[int, ...]:
        """See `RewardHead.read_at`."""
        return RewardHead.read_at(self, text)

    def why_not_served(self) -> str | None:
        """See `RewardHead.why_not_served`."""
        return "its reward is computed from a language model's logits"

    def template(self, requested: str | None, default: str, tokenizer: Any) -> Template:
        """See `RewardHead.template`."""
        make = asking_template if self._is_asked else get_template
        return make(requested or default, tokenizer)

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        encoder_class = _AskingEncoder if self._is_asked else TextEncoder
        return encoder_class(loaded.tokenizer, template, **options)


class RowLogit(_Asked, DecoderHead):
    """The logits of a decoder with Llama's architecture, from the rows of its language head."""

    def __init__(self, checkpoint: Checkpoint, own: Mapping[str, Any]) -> None:
        """Takes the checkpoint, and the judge's own settings."""
        super().__init__(checkpoint)
        self._own = own


class OwnLogit(_Asked, LanguageModelHead):
    """The logits of a model of any other family, run padded through its own forward pass."""

    name = TokenLogitJudge.name

    def __init__(
        self, checkpoint: Checkpoint, own: Mapping[str, Any], tokens: tuple[int, int | None]
    ) -> None:
        """Takes the checkpoint, the judge's own settings, and the tokens."""
        super().__init__(checkpoint)
        self._own, self._tokens = own, tokens

    def capabilities(self) -> Capabilities:
        """See `RewardHead.capabilities`."""
        return Capabilities(token_rewards=True)

    def runner(self, computing: Computing, batching: str) -> TokenLogitRunner:
        """See `RewardHead.runner`."""
        return TokenLogitRunner(self.load(self.checkpoint, computing), *self._tokens)


def tokens_of(survey: Survey, token: str, contrast: str | None) -> tuple[int, int | None]:
    """The ids of the tokens that a user named.

    Args:
        survey: The checkpoint's small files.
        token: An id, or the text of one token.
        contrast: A second one, or None.

    Raises:
        ConfigurationError: A text is not one token, the model has no such id, or both are the
            same.
    """
    found = token_id(survey, "token", token)
    other = None if contrast is None else token_id(survey, "contrast", contrast)
    if found == other:
        raise ConfigurationError(
            f"token={token} and contrast={contrast} are the same token ({found}): every reward "
            "would be 0. Use another token."
        )
    return found, other
