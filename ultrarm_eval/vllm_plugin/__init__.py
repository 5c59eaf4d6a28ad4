"""Lets vLLM serve reward models that it does not support itself.

vLLM calls `register` in each of its processes (entry point group `vllm.general_plugins`). Neither
vLLM nor torch is imported before that.

    vllm serve openbmb/UltraRM-13b

Which checkpoints are served:

- Every checkpoint whose config.json names a class in `classes.SERVED_CLASSES`.
- Every other checkpoint whose reward is read at one token, with
  `--hf-overrides '{"architectures": ["UltrarmEvalRewardModel"]}'`. If its type, or a setting of it,
  cannot be detected from the files, the overrides also contain
  `"ultrarm_eval": {"judge": "value-head", "head": "v_head"}`. `overrides.overrides_for` makes the
  overrides for a checkpoint.
- vLLM's own classes and those of transformers are unchanged. vLLM's `Qwen2ForRewardModel` and
  `InternLM2ForRewardModel` return a value after a sigmoid for each token, while our judges read the
  raw value at the last token: the override above serves them as the judges read them.
- Rewards that are computed from several tokens are not served (ArmoRM, QRM, process reward models):
  vLLM pools a text to its last token, but a gate, for example, is read where the prompt ends.

Rewards are always raw, whatever a client requests with `use_activation`, because the network has no
activation. Costs (Beaver's cost models) are negated, as in the judge.

A client has to send token ids instead of texts, encoded as the judge encodes them (`Judge.tokens`).
The reward is read at the last token that is sent, so a text has to end with the token of its type:
OpenRLHF's EOS, Athene-RM's CLS, InternLM2's reward token. A padding token at the end would be read,
too. If vLLM tokenizes a text itself, it adds BOS (a second one if the text has it already) and no
EOS, and a literal `</s>` in an answer becomes a control token. `truncate_prompt_tokens` drops BOS.
"""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


def register() -> None:
    """Registers the reward models of this package; vLLM calls it in each of its processes.

    If this version of vLLM is not supported, a warning is logged and vLLM is unchanged.
    """
    try:
        from ultrarm_eval.vllm_plugin.registration import register_reward_models

        register_reward_models()
    except Exception as error:
        # Whatever it raises: vLLM also serves models that need nothing of this package.
        logger.warning(
            "ultrarm-eval could not register its reward models with this version of vLLM, which "
            "works as without ultrarm-eval: %s: %s",
            type(error).__name__,
            error,
        )
