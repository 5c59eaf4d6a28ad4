"""Keeps special-token text in prompts and answers plain text.

Published model outputs contain a literal ``</s>``. A Hugging Face tokenizer turns it into the
end-of-text token; sentencepiece itself does not. Prompts and answers (the contents) are plain text:
before a template that writes special tokens is rendered, special-token text in the contents is
masked, so that only the special tokens of the template itself are parsed.

A template can depend on such text: one that cuts an answer at ``</think>`` has to see it. The
rendering with masked contents is therefore compared with the rendering of the original contents. If
they differ, these are tried in turn, until the rendering is that of the original contents: markers
around the token's text, which leave it in place; and masking all tokens except those that the
template's source contains, which are then parsed and counted (`READ_BY_TEMPLATE`). If neither
works, the masked rendering is used and counted (`HIDDEN_FROM_TEMPLATE`).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.template import Template

#: Count: special-token text in contents is parsed, because the template looks for it there.
READ_BY_TEMPLATE = "special_read_by_template"
#: Count: the template would have written another text if it had seen special-token text.
HIDDEN_FROM_TEMPLATE = "special_hidden_from_template"

_MARKS = ((True, True), (True, False), (False, True))

# With more first characters than this, searching for them is slower than for the tokens.
_FEW = 4


class SpecialLiterals:
    """Finds, masks and unmasks special-token text for one tokenizer."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens = tuple(sorted(set(tokens), key=len, reverse=True))
        # An alias parses as a control token, so no data may be able to spell one.
        secret = secrets.token_hex(8)
        self._masks = {t: f"\ue000m{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self.aliases = {t: f"\ue000a{i}-{secret}\ue001" for i, t in enumerate(self.tokens)}
        self._before, self._behind = f"\ue000b-{secret}\ue001", f"\ue000e-{secret}\ue001"
        self._in_text = _alternatives(self.tokens)
        self._in_masked = _alternatives(self._masks.values())
        self._unmasks = {mask: token for token, mask in self._masks.items()}
        firsts = {token[0] for token in self.tokens if token}
        self._firsts = firsts if len(firsts) <= _FEW else None

    def occur_in(self, text: str) -> bool:
        """Whether the text contains special-token text."""
        if self._firsts is not None and not any(first in text for first in self._firsts):
            return False
        return self._in_text.search(text) is not None

    def spelled_in(self, text: str) -> set[str]:
        """The special tokens whose text occurs in the text."""
        return set(self._in_text.findall(text))

    def first_in(self, text: str) -> str | None:
        """The first special token whose text occurs in the text."""
        found = self._in_text.search(text)
        return None if found is None else found[0]

    def mask(self, text: str, but: Collection[str] = ()) -> str:
        """Replaces spelled-out special tokens in contents, before a template is rendered.

        Args:
            text: A content.
            but: Tokens that stay as they are.
        """
        return self._in_text.sub(
            lambda found: found[0] if found[0] in but else self._masks[found[0]], text
        )

    def unmask(self, text: str) -> str:
        """Removes masks and marks from a text."""
        unmasked = self._in_masked.sub(lambda found: self._unmasks[found[0]], text)
        return unmasked.replace(self._before, "").replace(self._behind, "")

    def mark(self, text: str, *, before: bool, behind: bool) -> str:
        """Puts marks before or after special-token text, which a template can still find."""
        first, last = self._before if before else "", self._behind if behind else ""
        return self._in_text.sub(lambda found: f"{first}{found[0]}{last}", text)

    def mask_marked(self, rendered: str, *, before: bool, behind: bool) -> str:
        """Masks special-token text that still has all its marks."""
        first, last = self._before if before else "", self._behind if behind else ""
        marked = re.compile(f"{re.escape(first)}({self._in_text.pattern}){re.escape(last)}")
        return marked.sub(lambda found: self._masks[found[1]], rendered)

    def alias_structure(self, rendered: str) -> str:
        """Replaces the template's own special tokens by aliases, and unmasks the contents."""
        aliased = self._in_text.sub(lambda found: self.aliases[found.group()], rendered)
        # Only now: a mark without its token may still separate characters that would be a token.
        return self.unmask(aliased)


@dataclass(frozen=True)
class TextOfContents:
    """A rendered text.

    Attributes:
        aliased: The text to tokenize; the template's own special tokens are aliases.
        plain: The same text with the special tokens themselves.
        remark: The name of a count; None if there is nothing to count.
    """

    aliased: str
    plain: str
    remark: str | None = None


class ContentsAsText:
    """Renders contents as plain text, for one tokenizer."""

    def __init__(self, literals: SpecialLiterals, structural: Collection[str]) -> None:
        """Takes the tokens.

        Args:
            literals: The tokenizer's special tokens.
            structural: The special tokens that begin and end turns and texts; in contents they
                always stay plain text.
        """
        self._literals, self._structural = literals, structural

    def write(
        self, template: Template, messages: Sequence[Message], completion: str
    ) -> TextOfContents:
        """Renders contents with special-token text.

        Raises:
            ConfigurationError: The template rejects them.
        """
        literals = self._literals
        plain = template.render(messages, completion)
        masked = _rendered(template, messages, completion, literals.mask)
        if literals.unmask(masked) == plain:
            return TextOfContents(literals.alias_structure(masked), plain)
        for before, behind in _MARKS:
            mark = partial(literals.mark, before=before, behind=behind)
            marked = _tried(template, messages, completion, mark)
            if marked is not None and literals.unmask(marked) == plain:
                again = literals.mask_marked(marked, before=before, behind=behind)
                return TextOfContents(literals.alias_structure(again), plain)
        read = self._read_by(template, messages, completion)
        partly = _tried(template, messages, completion, partial(literals.mask, but=read))
        if read and partly is not None and literals.unmask(partly) == plain:
            return TextOfContents(literals.alias_structure(partly), plain, READ_BY_TEMPLATE)
        return TextOfContents(
            literals.alias_structure(masked), literals.unmask(masked), HIDDEN_FROM_TEMPLATE
        )

    def _read_by(
        self, template: Template, messages: Sequence[Message], completion: str
    ) -> set[str]:
        """Special tokens in contents that the template's source has, except structural ones."""
        contents = [completion, *(message["content"] for message in messages)]
        spelled = {token for text in contents for token in self._literals.spelled_in(text)}
        return {t for t in spelled if t in template.source and t not in self._structural}


def _rendered(
    template: Template,
    messages: Sequence[Message],
    completion: str,
    change: Callable[[str], str],
) -> str:
    changed = [Message(role=m["role"], content=change(m["content"])) for m in messages]
    return template.render(changed, change(completion))


def _tried(
    template: Template,
    messages: Sequence[Message],
    completion: str,
    change: Callable[[str], str],
) -> str | None:
    """The rendering; None if the template fails on contents with marks."""
    try:
        return _rendered(template, messages, completion, change)
    except ConfigurationError:
        return None


def _alternatives(strings: Iterable[str]) -> re.Pattern[str]:
    escaped = [re.escape(string) for string in strings]
    # An empty alternation would match everywhere.
    return re.compile("|".join(escaped) if escaped else r"(?!)")
