"""Run the command line with `python -m discontinuation`."""

import sys

from discontinuation.cli import main

sys.exit(main())
