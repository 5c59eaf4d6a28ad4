"""Published types of reward models: how each is recognized, and how its reward is computed."""
