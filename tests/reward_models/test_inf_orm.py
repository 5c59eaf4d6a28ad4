"""INF-ORM: two layers at the token before the first padding."""

import json

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, judge_of, variants
from tests.reward_models.published import inf_orm
from ultrarm_eval.errors import ConfigurationError

VARIANTS = variants(inf_orm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return inf_orm.build(tmp_path_factory.mktemp("inf_orm"), **VARIANTS[request.param])


class TestInfORM(AsPublished):
    module, judge, head = inf_orm, "inf-orm", "score.2.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = inf_orm, "inf-orm", "score.2.weight", "v_head.weight"


def test_a_text_is_read_before_its_first_padding(tmp_path):
    folder = inf_orm.build(tmp_path / "checkpoint")
    judge = judge_of(folder, special_tokens="parse")
    whole, cut = (list(judge.encoded("a", text)) for text in ("b[PAD]c", "b"))
    # Behind the answer the template closes the turn.
    assert whole == cut[:-1]
    assert 128256 not in whole


def test_a_padding_that_a_text_spells_is_text(tmp_path):
    judge = judge_of(inf_orm.build(tmp_path / "checkpoint"))
    assert len(judge.encoded("a", "b [PAD] c")) > len(judge.encoded("a", "b  c"))


def test_a_padding_that_the_template_writes_before_the_answer_is_refused(tmp_path):
    folder = inf_orm.build(tmp_path / "checkpoint")
    config = json.loads((folder / "config.json").read_text())
    # All answers to a prompt would have one reward: that of the prompt's end.
    config["pad_token_id"] = judge_of(folder).tokenizer.convert_tokens_to_ids("<|eot_id|>")
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="would get the same reward. Correct pad_token_id"):
        judge_of(folder)
