"""The prompts of a judged task as lighteval loads them: a folder that `datasets` opens."""

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
    """A folder with the documents, among `datasets`' own files.

    It is named after what it holds: another run finds it again, and lighteval, which keeps answers
    by the name of the data set, takes none that were written to other prompts.
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
    """A row of the folder as lighteval's document; lighteval's prompt manager writes the prompt."""
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
    """The document that lighteval's is of."""
    return Document.from_json(json.loads((doc.specific or {})[_COLUMN]))


def warn_of_conversations(documents: Sequence[Document], task: str) -> None:
    """Says how many prompts are more than a user's turn: lighteval gives models a single one."""
    several = sum(
        len(document.prompt) != 1 or document.prompt[0]["role"] != "user" for document in documents
    )
    if several:
        logger.warning(
            "%s: %d of %d prompts have several turns, or a system turn. lighteval has a single "
            "user turn for a prompt: the model reads them as text in it, each turn after its role. "
            "The judge reads the turns.",
            task,
            several,
            len(documents),
        )
