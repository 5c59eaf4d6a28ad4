"""The README that is saved beside the demo judge's weights."""

MODEL_CARD = """\
# DEMO JUDGE: NOT A JUDGE OF ANYTHING REAL

**THIS IS A DEMO. IT WAS TRAINED ON SYNTHETIC DATA AND ITS REWARDS MEAN NOTHING FOR REAL TEXT.
DO NOT EVALUATE, FILTER, RANK OR TRAIN ANYTHING WITH IT.**

A reward model of less than a million parameters in UltraRM's layout (a Llama backbone and
`regression_head`, a bias-free linear layer), so that `ultrarm-eval` can be tried and tested
offline on files of the same kind as the real ones. It has learnt to tell good from bad in the
sentences of one small grammar, and nothing else.

- Data: `scripts/demo_grammar` writes all of it, prompts, completions and ratings. Training and
  held-out prompts are disjoint.
- Training: `scripts/train_demo_judge.py`, Bradley-Terry on pairs of completions whose mean ratings
  differ, on the CPU in minutes.
- Input: `Human: {instruction}\\n\\nAssistant: {completion}`, BOS in front, no EOS; the reward is
  read at the last token.
- Figures: `results/demo/figures.json` in the repository.
"""
