"""The grammar behind the demo preference data; every text it can produce is written here.

`rows.generate_rows` is the entry point. The other modules hold one concept each: the data's schema
(`schema`), the word pools (`words`), the questions (`questions_*`), the injected flaws (`flaws`),
the ratings that follow from them (`ratings`) and the padding that decides lengths (`padding`).
"""

from demo_grammar.rows import generate_rows
from demo_grammar.schema import Row
from demo_grammar.words import SPLITS, Split

__all__ = ["SPLITS", "Row", "Split", "generate_rows"]
