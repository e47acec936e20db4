"""Jobs: pieces of work named by what they follow from, kept in a store, run once by an engine.

The room knows no network: a job is a registered function, a config and the results of other jobs.
"""

from secateurs.jobs.context import Context, Stopped
from secateurs.jobs.engine import Outcome, run
from secateurs.jobs.entry import Entry
from secateurs.jobs.events import Event, Failed, Finished, Grown, Listener, Progress, Reused, Started, Waiting, Warned
from secateurs.jobs.graph import Graph
from secateurs.jobs.job import REGISTRY, Job, JobFunction, Numerics, job
from secateurs.jobs.meter import Meter, Reading
from secateurs.jobs.processes import Processes
from secateurs.jobs.serial import Engine, Serial
from secateurs.jobs.store import Store

__all__ = [
    "REGISTRY",
    "Context",
    "Engine",
    "Entry",
    "Event",
    "Failed",
    "Finished",
    "Graph",
    "Grown",
    "Job",
    "JobFunction",
    "Listener",
    "Meter",
    "Numerics",
    "Outcome",
    "Processes",
    "Progress",
    "Reading",
    "Reused",
    "Serial",
    "Started",
    "Stopped",
    "Store",
    "Waiting",
    "Warned",
    "job",
    "run",
]
