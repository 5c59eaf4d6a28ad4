"""Forward passes and tokens of each type of judge on fixed texts: slower code fails untimed.

The passes of the model's body are counted; `benchmarks/judge_kinds.py` measures the time. The
tokens are those of the tests' own tokenizers, so that they change only with these.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PROMPTS = 3
#: By kind: passes of the loop and of the judge.
PASSES = {
    "UltraRM": (12, 1),
    "Llama, gate": (24, 2),
    "token logit": (12, 2),
    "process, classes": (24, 1),
    "likelihood": (12, 3),
    "critique": (48, 48),
    "DeBERTa": (12, 3),
}


@pytest.fixture(scope="module")
def kinds() -> Iterator[Any]:
    """The benchmark of the kinds; its folder is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        before = set(sys.modules)
        yield importlib.import_module("judge_kinds")
        own = {file.stem for file in BENCHMARKS.glob("*.py")}
        for name in own & (sys.modules.keys() - before):
            del sys.modules[name]


def work_of(kinds: Any, kind: str, folder: Path) -> tuple[Any, Any, Any]:
    """The judge, and what its loop and it itself compute of the load."""
    judge = kinds.judge_of(kind, folder)
    asked = kinds.drawn_texts(PROMPTS, 0)
    with kinds.counted(judge) as loop:
        expected = judge.score_one_at_a_time(asked.prompts, asked.answers)
    with kinds.counted(judge) as work:
        rewards = judge.score(asked.prompts, asked.answers)
    kinds.largest_difference(kind, rewards, expected)
    return judge, loop, work


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", list(PASSES))
def test_passes_and_tokens(kinds: Any, tmp_path: Path, kind: str) -> None:
    judge, loop, work = work_of(kinds, kind, tmp_path)
    assert (loop.passes, work.passes) == PASSES[kind]
    text_tokens, distinct = kinds.distinct_tokens(judge, kinds.drawn_texts(PROMPTS, 0))
    if judge.settings()["batching"] == "shared":
        # What is read inside of a text is a text of its own, whose last token may be another; what
        # stands behind the last place that is read is not computed.
        assert 0.97 * distinct <= work.tokens <= 1.03 * distinct
        return
    # Padding; of a generation each token that is written is a pass of its own.
    padding = 1.1 * text_tokens if kind != "critique" else loop.tokens
    assert text_tokens <= work.tokens <= padding


def test_texts_that_are_asked_twice_are_computed_once(kinds: Any, tmp_path: Path) -> None:
    judge = kinds.judge_of("UltraRM", tmp_path)
    asked = kinds.drawn_texts(1, 0)
    with kinds.counted(judge) as once:
        judge.score(asked.prompts, asked.answers)
    with kinds.counted(judge) as twice:
        judge.score(asked.prompts * 2, asked.answers * 2)
    assert (once.passes, once.tokens) == (twice.passes, twice.tokens)


def test_the_last_layer_computes_only_where_rewards_are_read(kinds: Any, tmp_path: Path) -> None:
    judge = kinds.judge_of("UltraRM", tmp_path)
    model, asked = judge.load(), kinds.drawn_texts(1, 0)
    _, distinct = kinds.distinct_tokens(judge, asked)
    rows: dict[int, int] = {}

    def count(layer: Any, _: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        rows[layers.index(layer)] = hidden.shape[-2]

    layers = list(model.model.layers)
    handles = [layer.register_forward_hook(count) for layer in layers]
    judge.score(asked.prompts, asked.answers)
    for handle in handles:
        handle.remove()
    *before, last = (rows[number] for number in range(len(layers)))
    assert before == [distinct] * len(before)
    # Four texts; read positions come in eights.
    assert last == 8
