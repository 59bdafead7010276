"""`python -m inference.server` starts the web server."""

import sys

from inference.server.main import main

sys.exit(main())
