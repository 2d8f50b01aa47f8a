"""`python -m dagwright.server`."""

import sys

from dagwright.server.main import main

sys.exit(main())
