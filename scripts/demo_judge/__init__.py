"""How the demo judge is made: its tokenizer, its training, and the figures it is measured by."""
