"""Process reward models: a reward a step, and one of them all."""
