"""Texts that servers of the tests are asked for."""

PROMPT = "the question about one word and the answer to it "
#: Answers of all lengths, a few alike at their start; the last are cut to the model's positions.
PROMPTS = [PROMPT + "word " * (number % 5) for number in range(40)]
COMPLETIONS = [
    *(f"the answer number {number} is " + "blue green " * (number % 7) for number in range(36)),
    "",
    "café, naïve, Ωmega, 日本語, 🙂",
    "green " * 400,
    "blue one " * 400,
]
