"""What `judge=auto` makes of published reward models: each right, or refused for its reason."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import transformers
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from tests.reward_models.configs import CONFIGS, PublishedConfig, write
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.judges.auto import recognise

#: Read as another model in a folder of another name: nothing but its name tells it from
#: InternLM2-Reward.
KNOWN_BY_NAME_ALONE = {"internlm/POLAR-7B"}


@pytest.fixture(scope="module", params=CONFIGS, ids=lambda entry: entry.hub_id)
def written(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[PublishedConfig, Path]]:
    """An entry and its folder, which goes before the next one comes: together they are large."""
    entry: PublishedConfig = request.param
    family = (entry.config or {}).get("model_type")
    if entry.expected == "sequence-classification" and family not in {None, *CLASSES}:
        pytest.skip(f"transformers {transformers.__version__} has no classifier of {family}")
    parent = tmp_path_factory.mktemp("published")
    yield entry, write(entry, parent / entry.name)
    shutil.rmtree(parent)


@pytest.mark.few(40)
def test_auto_names_the_judge_or_says_why_none(
    written: tuple[PublishedConfig, Path],
) -> None:
    entry, folder = written
    if not entry.is_refused:
        assert recognise(str(folder)) == entry.expected
        return
    with pytest.raises(CheckpointError) as error:
        recognise(str(folder))
    # The folder's own name is no reason.
    assert entry.reason in str(error.value).replace(str(folder), "")


@pytest.mark.slow
def test_a_folder_of_another_name_is_read_alike_or_not(
    written: tuple[PublishedConfig, Path],
) -> None:
    entry, folder = written
    if entry.hub_id in KNOWN_BY_NAME_ALONE:
        pytest.skip("only its name tells it from another kind")
    other = folder.with_name("checkpoint")
    folder.rename(other)
    try:
        judge = recognise(str(other))
    except CheckpointError:
        return
    finally:
        other.rename(folder)
    assert judge == entry.expected
