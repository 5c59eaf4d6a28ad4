"""Published benchmarks of reward models: their rows, and their scores as officially defined."""
