"""The four test sets of the UltraFeedback paper's table 2 (arXiv 2310.01377).

Each is read in its format on the hub, or as `prompt`, `chosen`, `rejected`. How the paper selected
them is only partly known; see the tasks' README.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, one_of, prompt_of, text_of
from ultrarm_eval.benchmarks.figures import first_over_second
from ultrarm_eval.benchmarks.preference_test_sets import read_row as read_pair
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.exact_numbers import exact_number
from ultrarm_eval.messages import Message, as_messages

_TURN = re.compile(r"\n\n(Human|Assistant): ?")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def read_transcripts(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of Anthropic/hh-rlhf: two complete transcripts, `chosen` and `rejected`."""
    if row.get("prompt") is not None:
        return read_pair(row, where, counts)
    counts.add("rows")
    chosen, rejected = (_parsed(row, field, where) for field in ("chosen", "rejected"))
    if chosen[:-1] != rejected[:-1]:
        counts.add("rows_left_out_different_conversations")
        return None
    if chosen[-1] == rejected[-1]:
        counts.add("rows_left_out_identical_answers")
        return None
    answers = ([chosen[-1]["content"]], [rejected[-1]["content"]])
    return Document.of_choice(chosen[:-1], *answers, where=where)


def read_comparison(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of openai/webgpt_comparisons: two answers with scores; ties are excluded."""
    if "answer_0" not in row:
        return read_pair(row, where, counts)
    counts.add("rows")
    question = row.get("question")
    if not isinstance(question, Mapping):
        raise DataError(f"{where}: field 'question' has to be an object with 'full_text'.")
    scores = [exact_number(row.get(f"score_{side}")) for side in (0, 1)]
    if scores[0] is None or scores[1] is None:
        raise DataError(f"{where}: 'score_0' and 'score_1' have to be numbers.")
    if scores[0] == scores[1]:
        counts.add("rows_left_out_equal_scores")
        return None
    better = int(scores[1] > scores[0])
    return Document.of_choice(
        prompt_of(question, "full_text", where),
        [text_of(row, f"answer_{better}", where)],
        [text_of(row, f"answer_{1 - better}", where)],
        where=where,
    )


def read_summaries(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of openai/summarize_from_feedback, configuration comparisons.

    The prompt is the post with its subreddit and title, and ends in "TL;DR:".
    """
    if "summaries" not in row:
        return read_pair(row, where, counts)
    counts.add("rows")
    info, summaries = row.get("info"), row["summaries"]
    is_pair = isinstance(summaries, Sequence) and len(summaries) == 2
    if (
        not isinstance(info, Mapping)
        or not is_pair
        or not all(isinstance(summary, Mapping) for summary in summaries)
    ):
        raise DataError(
            f"{where}: 'info' has to be an object and 'summaries' a list of two objects."
        )
    better = one_of(row, "choice", (0, 1), where)
    texts = [text_of(summary, "text", where).strip() for summary in summaries]
    return Document.of_choice(
        as_messages(_post(info, where)),
        [texts[better]],
        [texts[1 - better]],
        where=where,
        id=name_of(info, "id", where.row),
    )


def read_replies(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of stanfordnlp/SHP: two replies to a post."""
    if "history" not in row:
        return read_pair(row, where, counts)
    counts.add("rows")
    # 1 where A has more votes.
    better, worse = "AB" if one_of(row, "labels", (0, 1), where) == 1 else "BA"
    return Document.of_choice(
        prompt_of(row, "history", where),
        [text_of(row, f"human_ref_{better}", where)],
        [text_of(row, f"human_ref_{worse}", where)],
        where=where,
        id=name_of(row, "post_id", where.row),
        subset=name_of(row, "domain", ""),
    )


def _parsed(row: Row, field: str, where: Location) -> tuple[Message, ...]:
    parts = _TURN.split(text_of(row, field, where))
    roles, contents = parts[1::2], parts[2::2]
    if parts[0].strip() or not roles or roles[-1] != "Assistant":
        raise DataError(
            f"{where}: field {field!r} is not a transcript of turns '\\n\\nHuman: ' and "
            "'\\n\\nAssistant: ' that ends with the assistant's."
        )
    return tuple(
        Message(role=_ROLES[role], content=content)
        for role, content in zip(roles, contents, strict=True)
    )


def _post(info: Mapping[str, Any], where: Location) -> str:
    if info.get("post") is None:
        return f"{text_of(info, 'article', where)}\n\nTL;DR:"
    subreddit, title = info.get("subreddit"), info.get("title")
    parts = [f"SUBREDDIT: r/{subreddit}"] if subreddit else []
    parts += [f"TITLE: {title}"] if title else []
    return "\n\n".join([*parts, f"POST: {text_of(info, 'post', where)}", "TL;DR:"])


_READERS: dict[str, tuple[Callable[[Row, Location, DataCounts], Document | None], str]] = {
    "anthropic_helpful": (read_transcripts, "chosen, rejected (complete transcripts)"),
    "webgpt": (read_comparison, "question, answer_0, answer_1, score_0, score_1"),
    "summarize": (read_summaries, "info, summaries, choice"),
    "shp": (read_replies, "history, human_ref_A, human_ref_B, labels"),
}
PAPER_SETS = {
    f"ultrarm_paper_{name}": Benchmark(
        name=f"ultrarm_paper_{name}",
        describes=f"{describes}; or prompt, chosen, rejected",
        read_row=read,
        credit=first_over_second,
        ties="half",
    )
    for name, (read, describes) in _READERS.items()
}
