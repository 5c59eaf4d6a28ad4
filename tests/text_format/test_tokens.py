import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from ultrarm_eval.text_format.tokens import Tokens


def test_a_text_is_its_ids_and_where_its_completion_starts():
    text = Tokens.of([7, 8, 9])
    assert (len(text), list(text), text.ids.tolist()) == (3, [7, 8, 9], [7, 8, 9])
    assert text == Tokens.of((7, 8, 9)) != Tokens.of([7, 8, 9], 1)
    assert len({text, Tokens.of([7, 8, 9]), Tokens.of([7, 8, 9], 1)}) == 2
    assert len(Tokens.of([7, 8, 9], 1)) == 3


def test_stores_of_earlier_versions_know_texts_by_the_same_bytes():
    assert Tokens.of([7, 8, 9]).identity == struct.pack("=3i", 7, 8, 9)
    assert Tokens.of([7, 8, 9], 1).identity == struct.pack("=4i", 1, 7, 8, 9)


@st.composite
def read_texts(draw):
    """A text, and where it is read: at no place by name, or at some, doubled ones too."""
    ids = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6))
    places = st.lists(st.integers(0, len(ids) - 1), max_size=4)
    return Tokens.of(ids, reads=sorted(draw(places)), reads_cut=draw(st.integers(0, 3)))


@settings(max_examples=examples(500), deadline=None)
@given(read_texts(), read_texts())
def test_texts_that_are_read_otherwise_are_no_one_text_to_a_store(one, other):
    assert (one.identity == other.identity) == (one == other)


def test_the_places_of_one_text_are_not_the_ids_of_another():
    # Small ids are like places: what is read once in the first is read twice in the second.
    twice = Tokens.of([8, 9], reads=[0, 1])
    assert Tokens.of([2, 8, 9], reads=[0]).identity != twice.identity
    # Nor is how many reads were cut off a place: all numbers but that of the places are alike.
    assert Tokens.of([0, 8, 9], reads=[0], reads_cut=1).identity != twice.identity


@given(read_texts())
def test_what_is_read_are_the_ends_of_texts_that_begin_alike(text):
    ends = [list(prefix) for prefix in text.prefixes()]
    assert ends == [list(text)[: at + 1] for at in text.reads or [len(text) - 1]]
    assert not any(prefix.reads for prefix in text.prefixes())
