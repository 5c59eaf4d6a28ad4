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

# What is to come, in one place. A mark that is no longer true fails its test (strict) and is to be
# taken out here.
#: Judges of which no entry is recognised yet.
JUDGES_TO_COME: set[str] = set()
#: Not recognised, or not refused for their reason, yet.
ENTRIES_TO_COME = {
    "made-up/reward-lora-without-a-head",
    "made-up/reward-lora-over-a-random-layer",
    "made-up/dpo-lora",
    "made-up/Skywork-Reward-Llama-3.1-8B-GPTQ-all-linear",
}
#: Read as something else in a folder of another name.
RENAMED_TO_COME = {"internlm/POLAR-7B"}
_FAILURES = (AssertionError, CheckpointError, pytest.fail.Exception)


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


def _is_to_come(request: pytest.FixtureRequest, is_so: bool) -> None:
    if is_so:
        reason = "its reader, or the reason of its refusal, is to come"
        request.applymarker(pytest.mark.xfail(strict=True, raises=_FAILURES, reason=reason))


def test_auto_names_the_judge_or_says_why_none(
    written: tuple[PublishedConfig, Path], request: pytest.FixtureRequest
) -> None:
    entry, folder = written
    _is_to_come(request, entry.expected in JUDGES_TO_COME or entry.hub_id in ENTRIES_TO_COME)
    if not entry.is_refused:
        assert recognise(str(folder)) == entry.expected
        return
    with pytest.raises(CheckpointError) as error:
        recognise(str(folder))
    # The folder's own name is no reason.
    assert entry.reason in str(error.value).replace(str(folder), "")


def test_a_folder_of_another_name_is_read_alike_or_not(
    written: tuple[PublishedConfig, Path], request: pytest.FixtureRequest
) -> None:
    entry, folder = written
    _is_to_come(request, entry.hub_id in RENAMED_TO_COME)
    other = folder.with_name("checkpoint")
    folder.rename(other)
    try:
        judge = recognise(str(other))
    except CheckpointError:
        return
    finally:
        other.rename(folder)
    assert judge == entry.expected


def test_what_is_to_come_is_known() -> None:
    """A misspelt name would mark nothing."""
    assert {one.expected for one in CONFIGS} >= JUDGES_TO_COME
    assert {one.hub_id for one in CONFIGS} >= ENTRIES_TO_COME | RENAMED_TO_COME
