"""Athene-RM: a linear layer at the CLS token behind the text."""

from types import SimpleNamespace

import pytest

from tests.reward_models.as_published import (
    TEXTS,
    AsPublished,
    HeadRefusals,
    equal,
    judge_of,
    variants,
)
from tests.reward_models.published import athene
from ultrarm_eval.judges.reward_head import DecoderHead
from ultrarm_eval.reward_models.athene import AtheneJudge

VARIANTS = {**variants(athene), "sharded": {"shards": 2}}
# None of these texts has a CLS token but the one behind it.
ONE_CLS = SimpleNamespace(
    **{**vars(athene), "TEXTS": TEXTS},
    WITHOUT_EFFECT={variant: {"first CLS token"} for variant in VARIANTS},
)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return athene.build(tmp_path_factory.mktemp("athene"), **VARIANTS[request.param])


class TestAthene(AsPublished):
    module, judge, head = ONE_CLS, "athene", "v_head.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = athene, "athene", "v_head.weight", "value_head.weight"


def test_judges_that_read_the_same_files_in_other_ways_share_no_rewards(tmp_path):
    class WithoutToken(AtheneJudge):
        name = "without-token"

        def make_head(self, loaded):
            return DecoderHead(self.checkpoint)

    folder = str(athene.build(tmp_path / "checkpoint"))
    one, other = (kind(folder, device="cpu") for kind in (AtheneJudge, WithoutToken))
    assert one.score(["What is it?"], ["It."]) != other.score(["What is it?"], ["It."])
    assert one.fingerprint() != other.fingerprint()


def test_of_several_cls_tokens_the_last_is_read(tmp_path):
    folder = athene.build(tmp_path / "checkpoint")
    prompt, completion = athene.TEXTS[-1]
    ids = athene.text_ids(folder, prompt, completion)
    (reward,) = judge_of(folder, special_tokens="parse").score([prompt], [completion])
    assert reward == equal(athene.reference(folder, ids).reward)
    assert abs(reward - athene.MUTATIONS["first CLS token"](folder, ids)) > 1e-3


def test_a_cls_token_that_a_text_spells_is_text(tmp_path):
    judge = judge_of(athene.build(tmp_path / "checkpoint"))
    prompt, completion = athene.TEXTS[-1]
    ids = list(judge.encoded(prompt, completion))
    assert ids.count(athene.CLS_ID) == 1
    assert ids[-1] == athene.CLS_ID


def test_the_cls_token_stays_where_a_text_is_cut(tmp_path):
    judge = judge_of(athene.build(tmp_path / "checkpoint"), max_length=20)
    ids = list(judge.encoded("a long question " * 9, "a long answer " * 9))
    assert len(ids) == 20
    assert ids[-1] == athene.CLS_ID
