"""What computes behind an address may be another model in a later run: a store does not mix them."""

import pytest

from tests.engine.server.scored_by_servers import score, served_judge
from tests.engine.server.served_checkpoint import ServedCheckpoint
from tests.engine.server.texts import COMPLETIONS, PROMPTS
from tests.harness_lines import request_for
from ultrarm_eval.engine.joined_stores import join_stores
from ultrarm_eval.errors import CacheMismatchError, ConfigurationError, ScoreStoreError
from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM


@pytest.fixture
def scored_in(serve, checkpoint, served, other_served):
    """Scores texts by a new server, and gives what came of it."""

    def scored(store, model, texts):
        under_one_name = ServedCheckpoint(model.judge, name=served.name)
        judge = served_judge(checkpoint, [serve(model=under_one_name)], score_store=str(store))
        return score(judge, PROMPTS[texts], COMPLETIONS[texts])

    return scored


def test_a_store_takes_no_rewards_of_another_model_in_a_later_run(
    scored_in, served, other_served, rewards, tmp_path
):
    store = tmp_path / "store.sqlite"
    assert scored_in(store, served, slice(0, 10)).error is None
    later = scored_in(store, other_served, slice(0, 20))
    assert isinstance(later.error, ConfigurationError)
    assert "another model" in later.said
    assert "store.sqlite" in later.said
    # What was stored before is right, and nothing else was handed out or stored.
    later.require_right(rewards)
    assert sorted(later.stored) == list(range(10))
    again = scored_in(store, served, slice(0, 20))
    assert again.error is None
    again.require_right(rewards[:20])


def test_a_store_with_all_rewards_asks_no_server(scored_in, served, rewards, tmp_path, checkpoint):
    store = tmp_path / "store.sqlite"
    scored_in(store, served, slice(0, 5))
    from ultrarm_eval.judges.loading import make_judge

    given = {"engine": "server", "base_url": "http://127.0.0.1:9", "score_store": str(store)}
    judge = make_judge("ultrarm", {"pretrained": str(checkpoint), **given})
    assert judge.score(PROMPTS[:5], COMPLETIONS[:5]) == pytest.approx(rewards[:5], abs=1e-4)


@pytest.mark.slow
def test_stores_of_two_models_under_one_name_are_not_joined(
    scored_in, served, other_served, tmp_path
):
    paths = [tmp_path / name for name in ("a.sqlite", "b.sqlite", "c.sqlite")]
    for path, model, texts in zip(
        paths,
        (served, other_served, served),
        (slice(0, 5), slice(5, 10), slice(10, 15)),
        strict=True,
    ):
        scored_in(path, model, texts)
    with pytest.raises(ScoreStoreError, match=r"b\.sqlite: the servers .* another model"):
        join_stores(paths[:2], tmp_path / "m.sqlite", rounding=1.0)
    joined = join_stores([paths[0], paths[2]], tmp_path / "m.sqlite")
    assert [one.rows for one in joined] == [6, 6]


@pytest.mark.slow
def test_a_response_cache_takes_no_rewards_of_another_model_in_a_later_run(
    serve, checkpoint, served, other_served, rewards, tmp_path
):
    from lm_eval.api.model import CachingLM

    def asked(model, texts):
        server = serve(model=ServedCheckpoint(model.judge, name=served.name))
        given = {"engine": "server", "base_url": server.url}
        cached = CachingLM(RewardModelLM(str(checkpoint), **given), str(tmp_path / "cache"))
        requests = [request_for((PROMPTS[n], COMPLETIONS[n])) for n in texts]
        try:
            answers = cached.loglikelihood(requests)
            return [one.reward for one in answers], len(server.scored)
        finally:
            cached.dbdict.close()

    found, _ = asked(served, range(5))
    assert found == pytest.approx(rewards[:5], abs=1e-4)
    with pytest.raises(CacheMismatchError, match="rewards of a different model"):
        asked(other_served, range(10))
    found, _ = asked(served, range(10))
    assert found == pytest.approx(rewards[:10], abs=1e-4)
    # All is there: no server is asked.
    assert asked(other_served, range(10)) == (found, 0)
