"""Settings for all tests: one thread, no deadlines (a busy machine is no failure), Ctrl-C as in a terminal."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import torch
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))  # toys.py and oracle.py serve several rooms

# A shell's background jobs, and their children, ignore SIGINT: the tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

torch.set_num_threads(1)
settings.register_profile("secateurs", deadline=None, print_blob=True)
settings.load_profile("secateurs")
