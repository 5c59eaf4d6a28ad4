"""Published kinds of reward models: for each how it is recognised, and how its reward is read."""
