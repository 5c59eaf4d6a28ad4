"""Stored weights by a network's names: what is renamed, made, left over."""

from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.checkpoints.weight_map import (
    WeightSource,
    renamed,
    renamed_keys,
    taken_keys,
)

STORED = [f"stored.{number}" for number in range(6)]
NETWORK = [f"network.{number}" for number in range(6)]


def make(*parts):
    """Any weight of several."""
    return sum(parts)


@st.composite
def maps(draw):
    """A map as kinds have it, and names that are stored, some of which it does not know."""
    names = draw(st.lists(st.sampled_from(NETWORK), unique=True, max_size=5))
    sources = {}
    for name in names:
        keys = draw(st.lists(st.sampled_from(STORED), unique=True, min_size=1, max_size=3))
        is_made = len(keys) > 1 or draw(st.booleans())
        sources[name] = WeightSource(tuple(keys), make if is_made else None)
    stored = draw(st.lists(st.sampled_from([*STORED, "other.1", "other.2"]), unique=True))
    return sources, dict.fromkeys(stored, 0) | {key: number for number, key in enumerate(stored)}


@given(maps())
def test_a_name_is_there_where_all_it_is_made_of_is(given_map):
    sources, stored = given_map
    found = renamed_keys(sources, stored)
    for name, source in sources.items():
        assert (name in found) == all(key in stored for key in source.keys)
    assert found - sources.keys() == stored.keys() - taken_keys(sources)


@given(maps())
def test_what_is_known_of_a_weight_is_told_of_its_new_name(given_map):
    sources, stored = given_map
    found = renamed(sources, stored)
    for name, source in sources.items():
        # Of one that is made nothing is known before it is.
        is_same = source.make is None and source.keys[0] in stored
        assert (name in found) == is_same
        if is_same:
            assert found[name] == stored[source.keys[0]]
    left = found.keys() - sources.keys()
    assert {key: found[key] for key in left} == {
        key: value for key, value in stored.items() if key not in taken_keys(sources)
    }
    assert found.keys() <= renamed_keys(sources, stored)


@given(maps())
def test_without_a_map_names_are_the_networks(given_map):
    _, stored = given_map
    assert renamed(None, stored) == stored
    assert renamed_keys(None, stored) == stored.keys()
    assert taken_keys({}) == set()
