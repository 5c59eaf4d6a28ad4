"""Encoding for judges that are asked a question about an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ultrarm_eval.messages import Prompt
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.tokens import EncodedText


class AskingEncoder(TextEncoder):
    """Encodes texts as `TextEncoder` does; an answer to nothing is asked about, too."""

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
