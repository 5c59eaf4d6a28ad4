"""Special tokens that occur as plain text.

Published model outputs contain a literal ``</s>``. A Hugging Face tokenizer turns it into the
end-of-text token; sentencepiece itself does not. What a prompt or an answer contains is text, so
contents are masked before a template that writes special tokens of its own is rendered, and only
what the template wrote is parsed.

A template can read what it is given: one that cuts an answer at ``</think>`` has to see it. So the
text with masked contents is compared with that of the contents as they are. Where they differ, the
contents are marked in other ways, which leave the tokens in sight, until the template does what it
does without; where none does, the masked text stands and is counted.
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

#: Special-token text in contents is parsed, because the template looks for it there.
READ_BY_TEMPLATE = "special_read_by_template"
#: The template would have written another text if it had seen what contents spell.
HIDDEN_FROM_TEMPLATE = "special_hidden_from_template"

_MARKS = ((True, True), (True, False), (False, True))

# Beyond so many, looking for the first characters of all tokens is slower than for the tokens.
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
        """A text, masked or marked, as it would be without."""
        unmasked = self._in_masked.sub(lambda found: self._unmasks[found[0]], text)
        return unmasked.replace(self._before, "").replace(self._behind, "")

    def mark(self, text: str, *, before: bool, behind: bool) -> str:
        """Marks spelled-out special tokens, which a template can then still read."""
        first, last = self._before if before else "", self._behind if behind else ""
        return self._in_text.sub(lambda found: f"{first}{found[0]}{last}", text)

    def mask_marked(self, rendered: str, *, before: bool, behind: bool) -> str:
        """Replaces what was marked in contents, and is still whole, as `mask` would have."""
        first, last = self._before if before else "", self._behind if behind else ""
        marked = re.compile(f"{re.escape(first)}({self._in_text.pattern}){re.escape(last)}")
        return marked.sub(lambda found: self._masks[found[1]], rendered)

    def alias_structure(self, rendered: str) -> str:
        """Replaces the template's own special tokens by aliases, and unmasks the contents'."""
        aliased = self._in_text.sub(lambda found: self.aliases[found.group()], rendered)
        # A mark that a template cut off its token breaks what would be another token until here.
        return self.unmask(aliased)


@dataclass(frozen=True)
class TextOfContents:
    """A rendered text.

    Attributes:
        aliased: The text to tokenise, the template's own special tokens as aliases.
        plain: The text as it is to be read.
        remark: What has to be counted; None if nothing.
    """

    aliased: str
    plain: str
    remark: str | None = None


class ContentsAsText:
    """Renders for one tokenizer."""

    def __init__(self, literals: SpecialLiterals, structural: Collection[str]) -> None:
        """Takes the tokens.

        Args:
            literals: The tokenizer's special tokens.
            structural: Those that begin and end turns and texts, which no content may write.
        """
        self._literals, self._structural = literals, structural

    def write(
        self, template: Template, messages: Sequence[Message], completion: str
    ) -> TextOfContents:
        """Renders contents that spell special tokens.

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
        """The tokens in contents that the template names and that hold no turns together."""
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
    """The text; None where the template fails on what marks are written around."""
    try:
        return _rendered(template, messages, completion, change)
    except ConfigurationError:
        return None


def _alternatives(strings: Iterable[str]) -> re.Pattern[str]:
    escaped = [re.escape(string) for string in strings]
    # An empty alternation would match everywhere.
    return re.compile("|".join(escaped) if escaped else r"(?!)")
