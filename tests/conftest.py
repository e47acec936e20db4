"""Settings for all tests: one thread, no deadlines (a busy machine is no failure)."""

from __future__ import annotations

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("secateurs", deadline=None, print_blob=True)
settings.load_profile("secateurs")
