"""What an engine outside torch's is given of a text."""

import pytest

from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge
from ultrarm_eval.text_format.tokens import Tokens

GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}


@pytest.mark.parametrize(("family", "values"), [("llama", {}), ("gpt2", GPT2), ("gemma2", {})])
def test_a_text_ends_at_the_token_that_is_read(write_model, family, values):
    # The template ends in EOS, which is the padding token as well: the class reads before it.
    folder = write_model(
        "AutoModelForSequenceClassification", family, num_labels=1, pad_token_id=2, **values
    )
    judge = SequenceClassificationJudge(str(folder), engine="server", base_url="http://127.0.0.1:9")
    text = judge.encoded("the sky", "blue")
    (at,) = judge.read_at(text)
    read = judge.network.engine._model.as_read(text)
    assert read == Tokens.of(list(text)[: at + 1])
    assert list(read)[-1] != 2
