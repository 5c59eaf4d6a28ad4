"""The prompts of a judged task in the form that lighteval loads: a folder for `datasets`."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lighteval.tasks.requests import Doc

from ultrarm_eval.documents.document import Document
from ultrarm_eval.messages import as_plain_text

logger = logging.getLogger(__name__)

#: The split of the folder that has the prompts.
SPLIT = "test"
# Text alone, and in one column: columns of their own would be given types by what they hold.
_COLUMN = "document"


def folder_of(documents: Sequence[Document]) -> Path:
    """A folder with the documents, in the cache of `datasets`.

    It is named by the hash of its content: another run finds it again, and lighteval, which caches
    answers by the name of the data set, uses no answers to other prompts.
    """
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = [json.dumps(document.to_json(), ensure_ascii=False) for document in documents]
    digest = hashlib.sha256("\n".join(written).encode()).hexdigest()[:16]
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "ultrarm_eval" / digest
    path = folder / f"{SPLIT}.parquet"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        # Several processes may be here at once: the file appears whole.
        handle, unfinished = tempfile.mkstemp(dir=folder.parent, suffix=".unfinished")
        os.close(handle)
        pq.write_table(pa.table({_COLUMN: pa.array(written, pa.string())}), unfinished)
        Path(unfinished).replace(path)
    return folder


def prompt_of(line: Mapping[str, Any], task_name: str = "") -> Doc:
    """A row of the folder as lighteval's document; its prompt manager formats the prompt."""
    document = Document.from_json(json.loads(line[_COLUMN]))
    reference = document.reference
    return Doc(
        query=as_plain_text(document.prompt),
        choices=[] if reference is None else [reference],
        gold_index=0,
        specific={_COLUMN: line[_COLUMN]},
        task_name=task_name,
    )


def document_of(doc: Doc) -> Document:
    """The document of a lighteval document."""
    return Document.from_json(json.loads((doc.specific or {})[_COLUMN]))


def warn_of_conversations(documents: Sequence[Document], task: str) -> None:
    """Warns about multi-turn prompts, because lighteval gives models only a single user turn."""
    several = sum(
        len(document.prompt) != 1 or document.prompt[0]["role"] != "user" for document in documents
    )
    if several:
        logger.warning(
            "%s: %d of %d prompts have several turns or a system turn. lighteval gives the "
            "model one user turn, with the turns written as text after their roles; the judge "
            "gets the original turns.",
            task,
            several,
            len(documents),
        )
