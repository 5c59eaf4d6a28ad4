"""A comparison as text: its counts are as readable as those of pages."""

import pytest

from tests.compare.compared import pair_of_runs, right
from ultrarm_eval.compare.page import as_page
from ultrarm_eval.compare.text import as_markdown, as_text


@pytest.mark.slow
def test_counts_have_a_comma_between_thousands_in_every_form(tmp_path):
    comparison = pair_of_runs(tmp_path, right([1.0, 0.0] * 1150), right([1.0] * 1200))
    (unmatched,) = comparison.unmatched
    assert (unmatched.matched, unmatched.only_a) == (1200, 1100)
    for written in (as_text(comparison), as_markdown(comparison), as_page(comparison)):
        assert "1,200" in written
        assert "1,100" in written
        assert "\u202f" not in written
