"""``python -m dr.cli``."""

from __future__ import annotations

import sys

from dr.cli.app import main

sys.exit(main())
