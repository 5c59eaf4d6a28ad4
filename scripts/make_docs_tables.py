"""Writes the tables and pages of the documentation that are made from the code.

python scripts/make_docs_tables.py            # writes README.md and docs/*.md
python scripts/make_docs_tables.py --check    # exit status 1 if one of them is stale

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; `docs/cli.md` is made as
a whole.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from docs_tables.pages import PageError, stale_pages, unplaced_tables

ROOT = Path(__file__).parent.parent


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Writes or checks.

    Args:
        arguments: The command line without the program's name; the process's own if None.
        root: The checkout whose pages are meant.

    Returns:
        0; 1 if a page is stale (with `--check`) or cannot take its tables.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; tell what is stale")
    is_check = parser.parse_args(arguments).check
    try:
        stale = stale_pages(root)
    except (PageError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    for page in stale:
        name = page.path.relative_to(root).as_posix()
        what = f" ({', '.join(page.tables)})" if page.tables else ""
        if is_check:
            print(f"{name} is stale{what}: run make docs-tables", file=sys.stderr)
        else:
            page.path.write_text(page.text, encoding="utf-8")
            print(f"{name}{what}")
    unplaced = unplaced_tables(root)
    for name in unplaced:
        print(f"No page has <!-- table: {name} -->.", file=sys.stderr)
    return 1 if unplaced or (is_check and stale) else 0


if __name__ == "__main__":
    sys.exit(main())
