"""`python -m quiet_nav.nodes.near_wall`."""

import sys

from quiet_nav.nodes.near_wall import main

sys.exit(main())
