"""A main process for a test to kill: ``ticket_main.py STORE`` runs a study, and holds in the middle of a level."""

import signal
import sys
from typing import Any

from secateurs.jobs import Serial, Store, run
from secateurs.jobs.context import Context
from secateurs.studies import TicketsPlan
from small_tickets import TICKETS, tickets

HELD = "held"


def main(root: str) -> None:
    plan = TicketsPlan(imp())
    middle = next(cell.run.key for cell in plan.cells() if cell.level == 2)
    real = Context.pause_point

    def pause_point(self: Context, save: Any) -> None:
        real(self, save)
        if self.dir.name == middle and "moment" in save()[1] and save()[1]["moment"] >= 6:
            sys.stdout.write(f"{HELD}\n")
            sys.stdout.flush()
            signal.pause()

    Context.pause_point = pause_point  # type: ignore[method-assign]
    run(plan.graph(), Store(root), Serial(checkpoint_seconds=0))


def imp() -> Any:
    """IMP alone, at one k."""
    return tickets(rewind=["4it"], tickets={name: None for name in TICKETS["tickets"] if name != "IMP"})


if __name__ == "__main__":
    main(sys.argv[1])
