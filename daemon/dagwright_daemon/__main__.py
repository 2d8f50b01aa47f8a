"""`python -m dagwright_daemon`."""

import sys

from dagwright_daemon.main import main

sys.exit(main())
