"""Encoding for judges that need the likelihood of a completion: token ids, and where it begins.

Prompt and completion are tokenized as one text. The tokens that this text has in common with the
rendered prompt, from the beginning on, belong to the prompt; the others to the completion.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.messages import Message, Prompt, as_messages
from ultrarm_eval.text_format.encoder import TextEncoder, common_prefix
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.tokens import EncodedText, Tokens


class CompletionEncoder(TextEncoder):
    """Encodes texts and finds the first token of the completion."""

    def __init__(self, tokenizer: Any, template: Template, *, max_length: int, **options: Any):
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How prompt and completion become one text.
            max_length: The maximum number of tokens per text, including BOS and EOS.
            **options: As for `TextEncoder`.

        Raises:
            ConfigurationError: A setting is not allowed, or the template does not write the
                completion.
        """
        super().__init__(tokenizer, template, max_length=max_length, **options)
        self._prompt_alone(as_messages("question"))

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[str], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        # Not yet truncated: the completion's first token has to be found first.
        wholes = list(super()._encode_batch(prompts, completions, numbers))
        alone = [self._prompt_alone(self._renderer.messages(prompt)) for prompt in prompts]
        for number, whole, ids in zip(numbers, wholes, self._tokens.encode(alone), strict=True):
            yield self._placed(whole, ids, number)

    def place(self, prompt: Prompt, completion: str) -> tuple[EncodedText, int]:
        """See `TextEncoder.place`."""
        (encoded,) = self.encode([prompt], [completion])
        return encoded, encoded.tokens.start or 0

    def _prompt_alone(self, messages: Sequence[Message]) -> str:
        before, is_written = self._renderer.before(messages)
        if not is_written:
            raise ConfigurationError(
                f"template={self.template.name} changes the completion, so the completion's tokens "
                "are not known. Use another template."
            )
        return before

    def _most_tokens(self) -> int | None:
        return None

    def _placed(self, whole: EncodedText, prompt: list[int], number: int) -> EncodedText:
        ids = list(whole.tokens)
        start = common_prefix(prompt, ids)
        if start == 0 and self._eos is not None:
            # Without a prompt and BOS, EOS is put before the text, as in lm-eval: the first
            # token needs a context in which it is predicted.
            ids = [self._eos, *ids]
        if start == 0 and self._eos is None:
            raise ScoringError(
                f"Completion {number} has no prompt, and the tokenizer has neither a BOS nor an "
                "EOS token, so nothing predicts its first token. Add a prompt."
            )
        start = max(start, 1)
        if start >= len(ids):
            if self._eos is None:
                raise ScoringError(
                    f"Completion {number} is empty and the tokenizer has no EOS token, so it has "
                    "no likelihood. Remove the empty completion."
                )
            # The likelihood of an empty completion is that of EOS after the prompt.
            ids = [*ids[:start], self._eos]
            start = len(ids) - 1
        kept = self._cut(ids, self.max_length)
        start = max(start - len(ids) + len(kept), 1)
        return replace(whole, tokens=Tokens.of(kept, start), truncated=len(kept) < len(ids))
