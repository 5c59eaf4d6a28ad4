import pytest

from ultrarm_eval.text_format.system_turns import without_system


def turns(written):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return tuple(
        {"role": roles[word[0]], "content": word[1:]} for word in written.split("|") if word
    )


@pytest.mark.parametrize(
    ("given", "folded", "dropped"),
    [
        ("sS|uU", "uS\n\nU", "uU"),
        ("sS|uU|aA|uV", "uS\n\nU|aA|uV", "uU|aA|uV"),
        ("uU|aA|sS|uV", "uU|aA|uS\n\nV", "uU|aA|uV"),
        ("sS|sT|uU", "uS\n\nT\n\nU", "uU"),
        ("uU|sS", "uU\n\nS", "uU"),
        ("sS", "uS", ""),
        ("sS|aA", "uS|aA", "aA"),
        ("s|uU", "uU", "uU"),
        ("uU|aA", "uU|aA", "uU|aA"),
        ("", "", ""),
    ],
)
def test_system_turns_go_into_the_users_or_are_left_out(given, folded, dropped):
    assert without_system(turns(given), "fold") == turns(folded)
    assert without_system(turns(given), "drop") == turns(dropped)
    assert without_system(turns(given), "error") == turns(given)
