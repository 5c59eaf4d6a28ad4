"""The texts an engine is verified on: those of the data, and some that engines get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt

# Number of the data's prompts that get such texts as well.
_PROMPTS = 4
# Tokenizers have up to hundreds of special tokens; the most important come first.
_TOKENS = 4
# A limit, because a template may drop the added text.
_DOUBLINGS = 20
# Filler that lengthens data without its own answers.
_WORD = "word "


@dataclass(frozen=True)
class VerifiedTexts:
    """Prompts and completions.

    Attributes:
        prompts: The prompt of each completion.
        completions: The completions.
        kind: What they have in common.
    """

    prompts: Sequence[Prompt]
    completions: Sequence[str]
    kind: str

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.completions)


def spelled_texts(
    judge: CheckpointJudge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> VerifiedTexts:
    """Completions that contain the tokenizer's special-token text, in the middle and at the end.

    A server that gets texts may parse it as control tokens.

    Args:
        judge: The judge whose tokenizer is used.
        prompts: Prompts of the data.
        completions: Their completions.
    """
    tokens = list(dict.fromkeys(map(str, judge.tokenizer.all_special_tokens)))[:_TOKENS]
    some = list(zip(prompts, completions, strict=True))[:_PROMPTS]
    made = [
        (prompt, text)
        for token in tokens
        for prompt, completion in some
        for text in (
            completion[: len(completion) // 2] + token + completion[len(completion) // 2 :],
            completion + token,
        )
    ]
    return VerifiedTexts(
        [prompt for prompt, _ in made], [text for _, text in made], "with special-token text"
    )


def longest_texts(
    judge: CheckpointJudge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> VerifiedTexts:
    """Completions longer than the maximum length, so that they are truncated to exactly that.

    Args:
        judge: The judge whose maximum length is used.
        prompts: Prompts of the data.
        completions: Their completions.
    """
    some = list(zip(prompts, completions, strict=True))[: _PROMPTS // 2]
    made = []
    for prompt, completion in some:
        unit = completion if completion.strip() else _WORD
        text = unit
        for _ in range(_DOUBLINGS):
            if len(judge.encoded(prompt, text)) >= judge.max_length:
                break
            text += text
        # One more for the space that the template's own tokens leave.
        made.append((prompt, text + unit))
    return VerifiedTexts(
        [prompt for prompt, _ in made],
        [text for _, text in made],
        f"truncated to {judge.max_length} tokens",
    )
