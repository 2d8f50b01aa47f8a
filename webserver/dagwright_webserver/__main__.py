"""`python -m dagwright_webserver`."""

from __future__ import annotations

import sys

from dagwright_webserver.main import main

if __name__ == "__main__":
    sys.exit(main())
