"""Probe texts that verify that a converted checkpoint gets the same token ids as its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import CheckpointError, UltrarmEvalError
from ultrarm_eval.judges.checkpoint_judge import CheckpointJudge
from ultrarm_eval.messages import Prompt

_PROMPTS: tuple[Prompt, ...] = (
    None,
    "What is 7 times 8?",
    [
        {"role": "user", "content": "Name a river."},
        {"role": "assistant", "content": "The Elbe is one."},
        {"role": "user", "content": "And where does it end?"},
    ],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is blue?"}],
)
_COMPLETIONS = (
    "",
    "It is 56.",
    "  Two spaces before, and a line end behind.\n",
    "tab\tand  spaces \r\n\r\n",
    "日本語 العربية हिन्दी ไทย Ελληνικά русский",
    "🙂👩‍👩‍👧 \U00012000 \ue000 e\u0301 \u200b\u202e",
    "<think>well</think> yes <|im_end|> [INST] </s>",
    "word " * 4000,
)
_MOST_SPECIAL = 8


@dataclass(frozen=True)
class ProbeText:
    """A text as a judge passes it to its network.

    Attributes:
        ids: Its tokens; empty if the judge rejects it.
        read_at: The positions at which the network's output is used.
    """

    ids: tuple[int, ...]
    read_at: tuple[int, ...]


Probes = Mapping[tuple[int, str], ProbeText]


def ids_of_probes(judge: CheckpointJudge) -> Probes:
    """The probes as a judge passes them to its network, by the number of the prompt and completion.

    Args:
        judge: The judge; its weights are not loaded.
    """
    return {
        (number, completion): _text(judge, prompt, completion)
        for number, prompt in enumerate(_PROMPTS)
        for completion in (*_COMPLETIONS, *_special(judge))
    }


def _special(judge: CheckpointJudge) -> Sequence[str]:
    """Answers that contain special-token text of the judge's tokenizer."""
    added = judge.tokenizer.backend_tokenizer.get_added_tokens_decoder().values()
    spelled = sorted(token.content for token in added if token.special)
    return [f"a {token} b {token}" for token in spelled[:_MOST_SPECIAL]]


def _text(judge: CheckpointJudge, prompt: Prompt, completion: str) -> ProbeText:
    try:
        tokens = judge.encoded(prompt, completion)
    except UltrarmEvalError:
        # A template that rejects system turns, or a text without any token.
        return ProbeText((), ())
    return ProbeText(tuple(tokens), judge.read_at(tokens))


def require_same_texts(
    source: CheckpointJudge, texts: Probes, converted: CheckpointJudge, *, reads_padding: bool
) -> None:
    """Rejects a conversion with other token ids, or one that transformers reads at another token.

    Args:
        source: The judge of the source.
        texts: The probes as the source reads them.
        converted: The judge of the converted checkpoint.
        reads_padding: Whether the source itself is read like transformers' class.

    Raises:
        CheckpointError: The conversion is rejected.
    """
    template = converted.settings()["template"]
    found = ids_of_probes(converted)
    differing = [key for key in texts if texts[key] != found.get(key)]
    if template != source.settings()["template"] or differing:
        what = f"{len(differing)} of {len(texts)} probes have different token ids"
        raise CheckpointError(
            f"{source.checkpoint.name}: the converted checkpoint does not get the same texts as "
            f"its source: {what}, and its template is {template}. It was deleted. A judge or "
            "tokenizer of another package may not support conversion; otherwise please report "
            "this."
        )
    pad = converted.checkpoint.config.pad_token_id
    for text in () if reads_padding else found.values():
        if text.ids and text.read_at != (_stock_place(text.ids, pad),):
            raise CheckpointError(
                f"{source.checkpoint.name}: no padding token was found with which transformers' "
                f"class uses the same token as this judge ({pad}), so the checkpoint cannot be "
                "converted. Use it without conversion."
            )


def _stock_place(ids: Sequence[int], pad: int | None) -> int:
    """Where transformers' class reads a single text: at the last token that is not padding.

    At the first token if all are padding.
    """
    return max((place for place, token in enumerate(ids) if token != pad), default=0)
