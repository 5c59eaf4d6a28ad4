"""Process reward models: a reward per step, and one per answer."""
