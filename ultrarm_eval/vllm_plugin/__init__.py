"""What vLLM needs to serve reward models that it does not know by itself."""
