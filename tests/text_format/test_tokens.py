import struct

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
