"""Run every shipped recipe that has a smoke scale, end to end: ``make smoke``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from secateurs.cli import app
from secateurs.core import SecateursError
from secateurs.studies import shipped
from secateurs.studies.recipe import scales_of


def main() -> int:
    """Run them one after the other; the number of failures is the exit status."""
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in shipped():
            if "smoke" not in scales_of(name):
                continue
            out = Path(folder) / name.replace("/", "-")
            try:
                app(["run", name, "--scale", "smoke", "--out", str(out)], standalone_mode=False)
            except SecateursError as error:
                sys.stderr.write(f"{name}: {error}\n")
                failed.append(name)
    sys.stderr.write(f"smoke: {len(failed)} failed{': ' + ', '.join(failed) if failed else ''}\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
