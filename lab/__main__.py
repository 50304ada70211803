"""``python -m lab`` is ``cartlab``."""

import sys

try:
    from lab.cli import main
except KeyboardInterrupt:  # the imports are the longest part of a short command
    sys.exit(130)

main()
