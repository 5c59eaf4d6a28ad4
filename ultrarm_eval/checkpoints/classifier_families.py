"""What is known of transformers' families of sequence classification models, by model_type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The weights of which a row belongs to each label, in the families' own names; where a model has
#: several, the first.
HEADS = (
    "score.weight",
    "classifier.out_proj.weight",
    "classifier.linear_out.weight",
    "classifier.weight",
    "logits_proj.weight",
    "sequence_summary.summary.weight",
)
#: How the names of the weights begin that read texts, in models that read images as well: as in
#: the network (Qwen 3.5's files), and as transformers writes Gemma 3's files.
TEXT_BODIES = ("model.language_model.", "language_model.model.")
#: What reads images in them, by the family of the whole.
IMAGE_PARTS = {
    "gemma3": (
        *("model.vision_tower", "model.multi_modal_projector"),
        *("vision_tower", "multi_modal_projector"),
    ),
    "qwen3_5": ("model.visual", "visual", "mtp"),
}
#: Families that no text alone can be given to, or that give it another reward each time, and why.
NOT_READ = {
    "canine": "it reads characters, and there is no fast tokenizer of that kind",
    "layoutlmv2": "it reads images of pages",
    "reformer": "it hashes at random, so that a text has another reward each time",
}
#: Families whose forward pass gives a text something else where it is padded, although there is a
#: mask, and why; their texts are computed one at a time.
SEES_PADDING = {
    "convbert": "its convolutions reach over padding",
    "fnet": "its Fourier transform is over padding, too",
    "nystromformer": "its landmarks are means over padding, too",
    "xlnet": "it is read at a row's last token, padding or not",
    "yoso": "its hashing sums over padding, too",
}


def stated_labels(values: Mapping[str, Any]) -> int | None:
    """How many labels a config.json names; None if it names none."""
    named = values.get("num_labels", len(values.get("id2label") or ()))
    return int(named) if named else None
