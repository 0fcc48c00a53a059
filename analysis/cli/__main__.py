"""Runs `python -m analysis.cli` where the script `tapa` is not at hand."""

import sys

from analysis.cli import start

sys.argv[0] = "tapa"
start()
