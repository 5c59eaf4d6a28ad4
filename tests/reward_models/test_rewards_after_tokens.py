"""Rewards after each token of published kinds: the last is the answer's, or there are none."""

import pytest

from tests.reward_models.published import (
    armorm,
    athene,
    beaver,
    grm,
    inf_orm,
    internlm2_reward,
    ldl,
    openrlhf,
    qrm,
    qwen2_prm,
    qwen2_reward,
    starling,
    token_logit,
    urm,
)
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.loading import make_judge, token_judges

PROMPT, ANSWER = "What is 7 times 8?", "It is 56."
BEHIND, SEVERAL = "appended to the complete text", "several tokens"
#: Kinds that give none, and why; those that do.
NONE = {armorm: SEVERAL, qrm: SEVERAL, urm: SEVERAL, ldl: SEVERAL, qwen2_prm: "only at step ends"}
NONE |= {athene: BEHIND, internlm2_reward: BEHIND}
GIVEN = (beaver, grm, inf_orm, openrlhf, qwen2_reward, starling, token_logit)


def name_of(kind):
    return kind.__name__.rsplit(".", 1)[-1]


def judge_of(kind, folder):
    # Of a language model the name alone says that it is one.
    judge = "token-logit" if kind is token_logit else "auto"
    return make_judge(judge, {"pretrained": str(kind.build(folder)), "device": "cpu"})


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", GIVEN, ids=name_of)
def test_the_last_one_is_the_answers(kind, tmp_path):
    judge = judge_of(kind, tmp_path / "checkpoint")
    found = judge.rewards_after_tokens(PROMPT, ANSWER)
    assert [found.reward] == pytest.approx(judge.score([PROMPT], [ANSWER]), abs=1e-5)
    assert judge.name in token_judges()


@pytest.mark.few(2)
@pytest.mark.parametrize("kind", NONE, ids=name_of)
def test_there_are_none_where_a_text_is_not_read_at_its_last_token_alone(kind, tmp_path):
    judge = judge_of(kind, tmp_path / "checkpoint")
    with pytest.raises(ConfigurationError, match=f"no rewards after each token: .*{NONE[kind]}"):
        judge.rewards_after_tokens(PROMPT, ANSWER)
    assert judge.network.runner is None
    assert judge.name not in token_judges()
