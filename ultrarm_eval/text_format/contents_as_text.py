"""Rendering a template so that special tokens which contents spell stay text.

A template can read what it is given: one that cuts an answer at ``</think>`` has to see it. So the
text with masked contents is compared with that of the contents as they are. Where they differ, the
contents are marked in other ways, which leave the tokens in sight, until the template does what it
does without; where none does, the masked text stands and is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message
from ultrarm_eval.text_format.special_literals import SpecialLiterals
from ultrarm_eval.text_format.template import Template

#: A special token that contents spell is one, because the template looks for it there.
READ_BY_TEMPLATE = "special_read_by_template"
#: The template would have written another text if it had seen what contents spell.
HIDDEN_FROM_TEMPLATE = "special_hidden_from_template"

_MARKS = ((True, True), (True, False), (False, True))


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
            ConfigurationError: The template refuses them.
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
