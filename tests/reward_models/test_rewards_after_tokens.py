"""Rewards after each token of published kinds: the last is the answer's, or there are none."""

import pytest

from tests.reward_models.published import armorm, athene, beaver, inf_orm, qrm, starling
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.loading import make_judge

PROMPT, ANSWER = "What is 7 times 8?", "It is 56."


def judge_of(kind, folder):
    return make_judge("auto", {"pretrained": str(kind.build(folder)), "device": "cpu"})


@pytest.mark.parametrize("kind", [beaver, inf_orm, starling], ids=lambda kind: kind.__name__[-8:])
def test_the_last_one_is_the_answers(kind, tmp_path):
    judge = judge_of(kind, tmp_path / "checkpoint")
    found = judge.rewards_after_tokens(PROMPT, ANSWER)
    assert [found.reward] == pytest.approx(judge.score([PROMPT], [ANSWER]), abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (armorm, "several tokens"),
        (qrm, "several tokens"),
        (athene, "put behind the whole text"),
    ],
    ids=["armorm", "qrm", "athene"],
)
def test_there_are_none_where_a_text_is_not_read_at_its_last_token_alone(kind, why, tmp_path):
    judge = judge_of(kind, tmp_path / "checkpoint")
    with pytest.raises(ConfigurationError, match=f"no reward after each token: .*{why}"):
        judge.rewards_after_tokens(PROMPT, ANSWER)
    assert judge.network.runner is None
