"""Makes the nets and oracles of these tests importable by their plain names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

collect_ignore = ["channel_oracle.py", "gated_nets.py"]
