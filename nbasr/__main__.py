"""Runs the command line as ``python -m nbasr``."""

import sys

from nbasr.cli import main

sys.exit(main())
