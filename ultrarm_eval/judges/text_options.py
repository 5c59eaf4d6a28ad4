"""The prompt template and the encoder that a judge's settings determine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ultrarm_eval.checkpoints.checkpoint import Checkpoint
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.errors import MissingTemplateError
from ultrarm_eval.judges.parity import closed_by_eos, parity_settings
from ultrarm_eval.judges.reward_head import RewardHead
from ultrarm_eval.judges.text_length import checked_max_length
from ultrarm_eval.settings import SPECIAL_TOKENS, CheckpointSettings
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.system_turns import checked_system
from ultrarm_eval.text_format.template import Template


@dataclass(frozen=True)
class TextOptions:
    """The settings of a judge that texts depend on.

    Attributes:
        given: The settings given by the user.
        template: The template in use.
        adds_eos: Whether `parity` adds an EOS that the template does not have by itself.
        parity: The settings that `parity` stands for; None without it.
    """

    given: CheckpointSettings
    template: Template
    adds_eos: bool = False
    parity: dict[str, Any] | None = None

    @classmethod
    def of(
        cls,
        given: CheckpointSettings,
        head: RewardHead,
        tokenizer: Any,
        default_template: str,
        *,
        judge: str,
        name: str,
    ) -> TextOptions:
        """Finds the template.

        Args:
            given: The settings given by the user.
            head: Knows which templates the model supports.
            tokenizer: The checkpoint's tokenizer.
            default_template: The template used if the user names none.
            judge: The judge's registered name, for messages.
            name: The checkpoint, for messages.

        Raises:
            ConfigurationError: There is no such template, or a setting contradicts `parity`.
        """
        parity, requested = None, given.template
        has_chat_template = bool(tokenizer.chat_template)
        if given.parity is not None:
            parity = parity_settings(
                given.parity,
                {"special_tokens": given.special_tokens, "max_length": given.max_length},
                has_chat_template=has_chat_template,
                template=requested,
            )
            requested = str(parity["template"])
        try:
            template = head.template(requested, default_template, tokenizer)
        except MissingTemplateError as error:
            default = "" if requested else f" It is the default of judge={judge}."
            raise MissingTemplateError(f"{name}: {error}{default}") from None
        if parity is None:
            return cls(given, template)
        closed = closed_by_eos(template, has_chat_template=has_chat_template)
        adds_eos = closed.append_eos and not template.append_eos
        return cls(given, closed, adds_eos, parity)

    def encoder(
        self, head: RewardHead, loaded: LoadedTokenizer, checkpoint: Checkpoint
    ) -> TextEncoder:
        """Makes the encoder.

        Args:
            head: Makes the encoder of its model.
            loaded: The checkpoint's tokenizer.
            checkpoint: The checkpoint.

        Raises:
            ConfigurationError: A setting cannot be used.
            CheckpointError: The tokenizer or its chat template cannot be used.
        """
        given, positions = self.given, head.positions()
        max_length, special_tokens = given.max_length, given.special_tokens
        if self.parity is not None:
            special_tokens = self.parity["special_tokens"]
            max_length = min(self.parity["max_length"], positions or self.parity["max_length"])
        what = f"{checkpoint.name}: its tokenizer or its chat template cannot be used"
        with as_checkpoint_error(what):
            return head.encoder(
                loaded,
                self.template,
                max_length=checked_max_length(max_length, checkpoint.name, positions),
                special_tokens=special_tokens or SPECIAL_TOKENS[0],
                system=checked_system(given.system),
                vocabulary_size=checkpoint.config.vocab_size,
                is_sentencepiece=loaded.is_sentencepiece,
                eos_id=loaded.eos_id(checkpoint.config),
            )
