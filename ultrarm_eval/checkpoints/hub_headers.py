"""Names, dtypes and shapes of weights on the hub, from the headers of their files alone."""

from __future__ import annotations

import logging

from ultrarm_eval.checkpoints.foreign_errors import brief
from ultrarm_eval.checkpoints.weights import (
    SAFETENSORS_FILE,
    StoredWeight,
    WeightFiles,
    is_floating,
)

logger = logging.getLogger(__name__)


def weights_on_hub(name: str, revision: str | None) -> WeightFiles | None:
    """The weight files of a repository whose weights are not downloaded yet.

    Fetches some kilobytes of each file, so that errors in a checkpoint are found before many
    gigabytes are downloaded.

    Args:
        name: A hub id.
        revision: Branch, tag or commit.

    Returns:
        The files and their content; None if they are pickles or in the hub's cache, or if the hub
        cannot be reached.
    """
    from huggingface_hub import get_safetensors_metadata, try_to_load_from_cache
    from huggingface_hub.errors import NotASafetensorsRepoError

    cached = try_to_load_from_cache(name, SAFETENSORS_FILE, revision=revision)
    if isinstance(cached, str):
        return None
    try:
        found = get_safetensors_metadata(name, revision=revision)
    except NotASafetensorsRepoError:
        return None
    except Exception as error:
        # The hub's client raises its own, requests', httpx' and OS errors; the cache may suffice.
        logger.debug(
            "%s: file headers on the hub cannot be read, so files are downloaded before "
            "they are checked: %s",
            name,
            brief(error),
        )
        return None
    stored = {
        key: StoredWeight(tensor.dtype, is_floating(tensor.dtype), tuple(tensor.shape))
        for file in found.files_metadata.values()
        for key, tensor in file.tensors.items()
    }
    size = sum(
        tensor.data_offsets[1] - tensor.data_offsets[0]
        for file in found.files_metadata.values()
        for tensor in file.tensors.values()
    )
    return WeightFiles(tuple(sorted(found.files_metadata)), frozenset(stored), True, size, stored)
