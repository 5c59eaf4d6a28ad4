"""Encoding for process reward models, which are read at the end of each step."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ultrarm_eval.errors import ConfigurationError, ScoringError, UnwritableTextError
from ultrarm_eval.messages import Message, Prompt, as_messages
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.step_separators import Split
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.text_renderer import WrittenText
from ultrarm_eval.text_format.tokens import EncodedText, Tokens

#: Counts of texts with truncated steps, of a single step, and with the text of a step's end tag.
STEPS_CUT, ONE_STEP, SPELLED_STEP_END = "steps_cut", "one_step", "spelled_step_end"

#: Makes turns for the template from the turns before an answer, the answer's steps, and a marker.
#: Returns the turns and the completion; the marker occurs in them once at the end of each step.
Converse = Callable[[Sequence[Message], Sequence[str], str], tuple[tuple[Message, ...], str]]


@dataclass(frozen=True)
class StepForm:
    """How an answer's steps become a text, and where they are read.

    Attributes:
        split: Splits an answer that is one text into steps.
        converse: Makes turns of the steps.
        tag_id: The token that ends a step; it replaces the marker.
        writes_tag: Whether `converse` writes the tag itself, before the marker.
        offset: Where a step is read, relative to its tag: 0, or -1 for the token before it.
        tag: The tag's text, to count the texts that contain it; None if these are not counted.
    """

    split: Split
    converse: Converse
    tag_id: int
    writes_tag: bool = False
    offset: int = 0
    tag: str | None = None


class StepEncoder(TextEncoder):
    """Encodes answers step by step: the text between two step ends is tokenized by itself.

    Step ends are known by their position, so the tag's text in a prompt or answer ends no step.
    """

    def __init__(
        self, tokenizer: Any, template: Template, *, form: StepForm, name: str, **options: Any
    ) -> None:
        """Prepares the tokenizer.

        Args:
            tokenizer: A fast Hugging Face tokenizer.
            template: How turns become one text.
            form: How steps become turns.
            name: The checkpoint, for messages.
            **options: As for `TextEncoder`.

        Raises:
            ConfigurationError: See `TextEncoder`; or the tokenizer joins neighboring steps.
        """
        super().__init__(tokenizer, template, **options)
        self._form, self._name = form, name
        # Private use characters and random digits, which no text contains.
        self._step_end = f"\ue000s-{secrets.token_hex(8)}\ue001"
        # The ids that the tokenizer puts before a text, to remove them from all but the first part.
        (newline,) = self._tokens.encode(["\n"])
        self._before_text = newline[:-1]
        if form.writes_tag:
            self._require_parting()

    def check(self, prompts: Sequence[Prompt], completions: Sequence[Any]) -> None:
        """See `TextEncoder.check`; a completion may be a list of steps."""
        for number, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            steps = self._steps(completion, number)
            turns, _ = self._conversation(self._renderer.messages(prompt), steps, number)
            self._renderer.check_turns(turns, number)

    def _encode_batch(
        self, prompts: Sequence[Prompt], completions: Sequence[Any], numbers: Sequence[int]
    ) -> Iterator[EncodedText]:
        written, pieces = [], []
        for prompt, completion, number in zip(prompts, completions, numbers, strict=True):
            given, steps = as_messages(prompt), self._steps(completion, number)
            messages = self._renderer.messages(prompt)
            turns, behind = self._conversation(messages, steps, number)
            one = self._renderer.text(given, behind, number, turns)
            remarks = [*one.remarks, *([ONE_STEP] if len(steps) == 1 else [])]
            if self._spells_tag(messages, steps):
                remarks.append(SPELLED_STEP_END)
            written.append(replace(one, remarks=tuple(remarks)))
            pieces.append(self._pieces(one.text, len(steps), number))
        encoded = self._tokens.encode([piece for of_text in pieces for piece in of_text])
        for one, of_text, number in zip(written, pieces, numbers, strict=True):
            ids, ends = self._joined(of_text, encoded, number)
            yield self._cut_to_length(ids, ends, one, number)

    def _steps(self, completion: Any, number: int) -> list[str]:
        if isinstance(completion, str):
            return self._form.split(completion)
        if not isinstance(completion, Sequence) or not all(isinstance(s, str) for s in completion):
            raise ScoringError(
                f"Completion {number} is of type {type(completion).__name__}; it must be a text, "
                "or a list of texts (its steps)."
            )
        if not completion:
            raise ScoringError(f"Completion {number} is an empty list of steps. Remove it.")
        return list(completion)

    def _conversation(
        self, messages: Sequence[Message], steps: Sequence[str], number: int
    ) -> tuple[tuple[Message, ...], str]:
        try:
            return self._form.converse(messages, steps, self._step_end)
        except ConfigurationError as error:
            raise UnwritableTextError(number, str(error)) from error

    def _spells_tag(self, messages: Sequence[Message], steps: Sequence[str]) -> bool:
        tag = self._form.tag
        contents = (*(message["content"] for message in messages), *steps)
        return tag is not None and any(tag in content for content in contents)

    def _pieces(self, text: str, steps: int, number: int) -> list[str]:
        """The parts of a text up to each step end, and the rest after the last one."""
        pieces = text.split(self._step_end)
        if len(pieces) != steps + 1:
            raise UnwritableTextError(
                number,
                f"template={self.template.name} writes only {len(pieces) - 1} of its {steps} step "
                "ends, so the other steps would have no reward. Use a template that writes "
                "complete answers.",
            )
        return pieces

    def _joined(
        self, pieces: Sequence[str], encoded: Iterator[list[int]], number: int
    ) -> tuple[list[int], list[int]]:
        """The ids of a text, and the indices at which its steps are read."""
        form, ids, ends = self._form, list[int](), list[int]()
        for index, piece in enumerate(pieces):
            own = next(encoded)
            if index:
                own = self._continued(own, number) if piece else []
            ids += own
            if index == len(pieces) - 1:
                break
            if not form.writes_tag:
                ids.append(form.tag_id)
            elif ids[-1:] != [form.tag_id]:
                raise ScoringError(
                    f"{self._name}: step {index} of text {number} does not end with the token "
                    f"{form.tag_id} ({form.tag!r}), where this model computes step rewards: its "
                    "tokenizer joins it with the text before it."
                )
            ends.append(len(ids) - 1 + form.offset)
        return ids, ends

    def _continued(self, ids: list[int], number: int) -> list[int]:
        """The ids of a part that does not begin the text."""
        size = len(self._before_text)
        if ids[:size] != self._before_text:
            raise ScoringError(
                f"{self._name}: text {number} cannot be tokenized step by step: its tokenizer "
                "encodes the beginning of a part differently than the beginning of a line."
            )
        return ids[size:]

    def _cut_to_length(
        self, ids: list[int], ends: Sequence[int], written: WrittenText, number: int
    ) -> EncodedText:
        suffix = self._suffix(ids, written.template)
        kept = self._cut(ids, self.max_length - len(suffix))
        cut = len(ids) - len(kept)
        # Of a step whose end directly follows BOS, every token was truncated.
        first = cut + len(self._opening(kept)) if cut else -1
        reads = [end - cut for end in ends if end > first]
        if not reads:
            raise ScoringError(
                f"Text {number} has {len(ids)} tokens, of which more than "
                f"max_length={self.max_length} follow its last step end, so no step remains. Set "
                "a larger max_length."
            )
        lost = len(ends) - len(reads)
        kept += suffix
        self._require_known(kept, number)
        return EncodedText(
            Tokens.of(kept, reads=reads, reads_cut=lost),
            truncated=bool(cut),
            spells_special_tokens=written.spells,
            remarks=(*written.remarks, *([STEPS_CUT] if lost else [])),
        )

    def _require_parting(self) -> None:
        """Rejects a tokenizer that encodes parts differently than the whole text."""
        first, second = f"a {self._form.tag}", f"\nb {self._form.tag}"
        whole, *parts = self._tokens.encode([first + second, first, second])
        if parts[0] + parts[1][len(self._before_text) :] != whole or whole[-1] != self._form.tag_id:
            raise ConfigurationError(
                f"{self._name}: its tokenizer joins the text before and after a newline, or has "
                f"no single token for {self._form.tag!r}: steps cannot be separated."
            )
