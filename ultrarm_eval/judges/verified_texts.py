"""The texts that an engine is verified on: those of data, and those that engines get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt

# Prompts of the data that get texts of these kinds as well.
_PROMPTS = 4
# Tokenizers have up to hundreds of special tokens; those that hold texts together come first.
_TOKENS = 4
# A template may leave out whatever is added.
_DOUBLINGS = 20
# What data without an answer of its own is made long with.
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
    """Completions that spell the tokenizer's special tokens, in the middle and at the end.

    A server that is given texts makes control tokens of them.

    Args:
        judge: Whose tokenizer it is.
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
        [prompt for prompt, _ in made], [text for _, text in made], "that spell control tokens"
    )


def longest_texts(
    judge: CheckpointJudge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> VerifiedTexts:
    """Completions of more than the most tokens of a text, so that they are cut to exactly those.

    Args:
        judge: Whose lengths they are.
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
        # One more for what the template's own tokens leave over.
        made.append((prompt, text + unit))
    return VerifiedTexts(
        [prompt for prompt, _ in made],
        [text for _, text in made],
        f"cut to {judge.max_length} tokens",
    )
