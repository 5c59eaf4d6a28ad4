"""Published types of reward models: how each is recognised, and how its reward is computed."""
