"""Facts about transformers' families of sequence classification models, by model_type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The families' own names of the weight with one row per label; the first one that a model has
#: counts.
HEADS = (
    "score.weight",
    "classifier.out_proj.weight",
    "classifier.linear_out.weight",
    "classifier.weight",
    "logits_proj.weight",
    "sequence_summary.summary.weight",
)
#: Prefixes of the text part's weights in models of texts and images: the network's (as in Qwen
#: 3.5's files), and the one in Gemma 3's files as transformers writes them.
TEXT_BODIES = ("model.language_model.", "language_model.model.")
#: Their image part, by the family of the complete model.
IMAGE_PARTS = {
    "gemma3": (
        *("model.vision_tower", "model.multi_modal_projector"),
        *("vision_tower", "multi_modal_projector"),
    ),
    "qwen3_5": ("model.visual", "visual", "mtp"),
}
#: Families that cannot score a single text, or not deterministically, and why.
NOT_READ = {
    "canine": "it reads characters, and has no fast tokenizer",
    "layoutlmv2": "it reads images of pages",
    "reformer": "it uses random hashing, so its rewards are not deterministic",
}
#: Families whose output depends on padding in spite of the mask, and why; their texts are computed
#: one at a time.
SEES_PADDING = {
    "convbert": "its convolutions include padding",
    "fnet": "its Fourier transform includes padding",
    "nystromformer": "its landmarks include padding",
    "xlnet": "its reward is computed at a row's last token, even if that is padding",
    "yoso": "its hashing includes padding",
}


def stated_labels(values: Mapping[str, Any]) -> int | None:
    """The number of labels in a config.json; None if it names none."""
    named = values.get("num_labels", len(values.get("id2label") or ()))
    return int(named) if named else None
