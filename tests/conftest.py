"""Settings for all tests: one thread, no deadlines (a busy machine is no failure)."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # toys.py and oracle.py serve several rooms

torch.set_num_threads(1)
settings.register_profile("secateurs", deadline=None, print_blob=True)
settings.load_profile("secateurs")
