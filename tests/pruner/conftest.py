"""The loops that several of these tests, and the processes that they start, train with."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
