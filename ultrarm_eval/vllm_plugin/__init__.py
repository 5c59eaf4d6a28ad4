"""Lets vLLM serve reward models that it does not support itself.

vLLM calls `register` in each of its processes (entry point group `vllm.general_plugins`). Nothing
of vLLM or torch is imported before that.

    vllm serve openbmb/UltraRM-13b

What is served:

- Every checkpoint whose config.json names a class of `classes.SERVED_CLASSES`.
- Any other one that a judge reads at one token, if vLLM is told so:
  `--hf-overrides '{"architectures": ["UltrarmEvalRewardModel"]}'`, with
  `"ultrarm_eval": {"judge": "value-head", "head": "v_head"}` where the kind, or a setting of it,
  cannot be known from the files. `overrides.overrides_for` gives that for a checkpoint.
- Classes of vLLM and of transformers stay what they are. Of vLLM's own, `Qwen2ForRewardModel` and
  `InternLM2ForRewardModel` give a value, through a sigmoid, for each token of a text, where our
  judges read the last one: with the override above they are served as the judges read them.
- Not served: rewards that are made of what is read at several tokens (ArmoRM, QRM, process reward
  models). vLLM pools a text to its last token, and a gate is read where the prompt ends.

Rewards are raw whatever a client asks (`use_activation`): the network has no activation. Costs
(Beaver's cost models) are negated, as the judge does it.

What a client must do, as vLLM cannot know it: send token ids, not texts, made as the judge makes
them (`Judge.tokens`). The reward is read at the last token that is sent, whatever that is, so a
text ends where its kind reads: at an EOS that OpenRLHF's models need, at Athene-RM's CLS, at
InternLM2's reward token; a padding token at the end is read, too. Of a text vLLM makes ids with
BOS in front and no EOS behind; BOS is doubled where the text has it already, and a literal `</s>`
in an answer becomes a control token. `truncate_prompt_tokens` drops BOS.
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
        # Whatever it is: whoever serves another model must not notice.
        logger.warning(
            "ultrarm-eval could not register its reward models with this version of vLLM, which "
            "works as without ultrarm-eval: %s: %s",
            type(error).__name__,
            error,
        )
