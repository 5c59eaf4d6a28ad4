import re

import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.data.counts import DataCounts, reason_in_words
from ultrarm_eval.documents.reference import ReferenceDocuments
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.preference_data import open_named_or_local
from ultrarm_eval.sources.prompts import PROMPTS

USER = {"role": "user", "content": "hello"}
SYSTEM = {"role": "system", "content": "be kind"}
ANSWER = {"role": "assistant", "content": "hi"}


@pytest.fixture
def opened(tmp_path):
    def open_rows(*rows):
        path = write_jsonl(tmp_path / "p.jsonl", list(rows))
        return open_named_or_local(str(path), "test", [PROMPTS])

    return open_rows


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"prompt": "hello"}, [USER]),
        ({"instruction": "hello", "input": ""}, [USER]),
        ({"prompt": [SYSTEM, USER]}, [SYSTEM, USER]),
        ({"messages": [USER, ANSWER, USER]}, [USER, ANSWER, USER]),
        ({"prompt": None, "messages": [USER]}, [USER]),
        ({"prompt": "hello", "messages": [USER, ANSWER]}, [USER]),
        ({"prompt": "hello", "system": "be kind"}, [SYSTEM, USER]),
        ({"conversations": [{"from": "human", "value": "hello"}]}, [USER]),
    ],
)
def test_a_prompt_is_read_from_any_of_its_columns(opened, row, turns):
    data = opened(row)
    record = data.record(0, data.rows[0], DataCounts())
    assert [dict(turn) for turn in record.prompt] == turns
    assert record.completions == ()


@pytest.mark.parametrize(
    ("row", "reason", "why"),
    [
        ({"prompt": None}, "rows_left_out_prompt_not_text", "its prompt is null. A row has"),
        ({"prompt": []}, "rows_left_out_prompt_not_text", "'prompt' is empty"),
        ({"prompt": 7}, "rows_left_out_prompt_not_text", "field 'prompt'"),
        ({"messages": [USER, ANSWER]}, "rows_left_out_ends_with_answer", "an 'assistant' turn"),
        ({"prompt": "p", "tools": [{"name": "x"}]}, "rows_left_out_with_tools", "'tools'"),
    ],
)
def test_a_row_without_a_prompt_is_left_out_with_what_it_needs(opened, row, reason, why):
    documents = ReferenceDocuments(opened({"prompt": "p"}, row), None, "none")
    assert [document.row for document in documents] == [0]
    assert documents.counts[reason] == 1
    (remark,) = documents.remarks()
    assert f"({reason})" in remark
    assert "line 2" in remark
    assert why in remark
    left = f"no prompt is left (1 row; excluded: 1 row ({reason_in_words(reason)}))"
    with pytest.raises(DataError, match=re.escape(left) + r".*only row \(line 1\) is excluded: "):
        ReferenceDocuments(opened(row), None, "none")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "q"}, r"line 2: there is no prompt. A row has 'prompt' or 'instruction'"),
        ({"instruction": "a", "input": "b"}, "both 'instruction' and 'input'"),
    ],
)
def test_a_row_of_another_kind_is_an_error(opened, row, message):
    with pytest.raises(DataError, match=message):
        ReferenceDocuments(opened({"prompt": "p"}, row), None, "none")
