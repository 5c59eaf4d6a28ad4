"""INF-ORM: two layers at the token before the first padding."""

import pytest

from tests.reward_models.as_published import AsPublished, HeadRefusals, variants
from tests.reward_models.published import inf_orm

VARIANTS = variants(inf_orm)


@pytest.fixture(scope="module", params=VARIANTS)
def folder(request, tmp_path_factory):
    return inf_orm.build(tmp_path_factory.mktemp("inf_orm"), **VARIANTS[request.param])


class TestInfORM(AsPublished):
    module, judge, head = inf_orm, "inf-orm", "score.2.weight"


class TestHead(HeadRefusals):
    module, judge, head, second = inf_orm, "inf-orm", "score.2.weight", "v_head.weight"
