"""Where steps end."""

import pytest

from ultrarm_eval.text_format.step_separators import splitter, without_blanks


@pytest.mark.parametrize(
    ("separator", "answer", "steps"),
    [
        ("blank-line", "a\n\nb\nc", ["a", "b\nc"]),
        ("blank-line", "a", ["a"]),
        ("line", "a\n\nb", ["a", "", "b"]),
        ("step", "Step 1: a\nStep 2: b", ["Step 1: a\n", "Step 2: b"]),
        ("step", "So.\n  step 1. a\n**Step 2** b", ["So.\n", "  step 1. a\n", "**Step 2** b"]),
        ("step", "A step 1: within a line", ["A step 1: within a line"]),
        ("step", "## Step 10\nx", ["## Step 10\nx"]),
        ("step", "Stepping 1", ["Stepping 1"]),
        ("step", "", [""]),
        ("ки", "a ки\nb ки", ["a ", "\nb ", ""]),
        ("text:line", "a line b", ["a ", " b"]),
        (r"\n---\n", "a\n---\nb", ["a", "b"]),
        (r"\t", "a\tb", ["a", "b"]),
    ],
)
def test_an_answer_is_split(separator, answer, steps):
    assert splitter(separator)(answer) == steps


def test_blank_steps_are_none_unless_there_is_no_other():
    assert without_blanks([" a ", "", "\n", "b"]) == ["a", "b"]
    assert without_blanks(["", " "]) == [""]
