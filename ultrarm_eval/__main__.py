"""`python -m ultrarm_eval`."""

import sys

from ultrarm_eval.cli import main

sys.exit(main())
