"""``python -m lab`` is ``cartlab``."""

from lab.cli import main

main()
