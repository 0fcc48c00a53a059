"""The command line of `tapa`. Its modules import whatever they need; this one, where every command begins, does not."""

import sys


def start() -> None:
    """Run `tapa`: an interrupt while its modules are imported is one line and exit code 130, too."""
    try:
        from analysis.cli.main import main

        main()
    except KeyboardInterrupt:
        print("tapa: interrupted; nothing is half-written", file=sys.stderr)
        sys.exit(130)
