"""Texts as token ids that share prefixes of every depth."""

from hypothesis import strategies as st

from ultrarm_eval.text_format.tokens import Tokens


def as_tokens(texts):
    return [Tokens.of(ids) for ids in texts]


@st.composite
def distinct_texts(draw, max_token=4, max_texts=10):
    """Distinct tuples of token ids: grown from one another, cut short, or unrelated."""
    tokens = st.integers(1, max_token)
    texts = [tuple(draw(st.lists(tokens, min_size=1, max_size=12)))]
    for _ in range(draw(st.integers(0, max_texts - 1))):
        base = draw(st.sampled_from(texts))
        kept = base[: draw(st.integers(0, len(base)))]
        grown = (*kept, *draw(st.lists(tokens, max_size=6)))
        texts.append(grown or base)
    return list(dict.fromkeys(texts))
