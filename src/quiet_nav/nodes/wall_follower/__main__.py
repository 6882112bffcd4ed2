"""`python -m quiet_nav.nodes.wall_follower`."""

import sys

from quiet_nav.nodes.wall_follower import main

sys.exit(main())
