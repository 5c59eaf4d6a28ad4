"""What a judge said about the answers of a sample, as JSON values for the harness's samples."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.lm_eval_plugin.reward import Reward, judgement_in
from ultrarm_eval.lm_eval_plugin.scored_text import ScoredText


def judged(responses: Any, filtered: Any) -> dict[str, Any]:
    """What a sample gets beside the harness's own fields.

    Args:
        responses: The sample's responses; those of a judge are `Reward`s.
        filtered: What the filters made of them; answers that a judge scored are `ScoredText`s.

    Returns:
        Under `judged`, for every answer in its order, the reward (None where the judge gave none)
        and what was written about it; under `judged_reference` the same of the reference. Nothing
        where no judge took part, or where the sample holds its rewards already.
    """
    texts = [text for text in _flat(filtered) if isinstance(text, ScoredText) and text.is_judged]
    if texts:
        found: dict[str, Any] = {"judged": [_of(a) for text in texts for a in text.answers]}
        if texts[0].reference is not None:
            found["judged_reference"] = _of(texts[0].reference)
        return found
    said = [judgement_in(r.reward) for r in _flat(responses) if isinstance(r, Reward)]
    judgements = [judgement for judgement in said if judgement is not None]
    return {"judged": [_entry(judgement) for judgement in judgements]} if judgements else {}


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [item for value in values for item in _flat(value)]
    return [values]


def _of(answer: ScoredText) -> dict[str, Any]:
    return _entry(answer.judgement or Judgement(answer.reward))


def _entry(judgement: Judgement) -> dict[str, Any]:
    return {"reward": judgement.value, **judgement.told()}
