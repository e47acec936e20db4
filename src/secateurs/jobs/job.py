"""A job: one deterministic piece of work, named by everything that its result follows from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from secateurs.core import JobError, did_you_mean
from secateurs.jobs.canonical import canonical, plain

if TYPE_CHECKING:
    from secateurs.jobs.context import Context
    from secateurs.jobs.entry import Entry

Function = Callable[[dict[str, Any], "Mapping[str, Entry]", "Context"], Mapping[str, Any] | None]
"""``run(config, inputs, ctx) -> summary``: what a job does. The summary is JSON; None means ``{}``."""

F = TypeVar("F", bound=Function)


@dataclass(frozen=True)
class JobFunction:
    """A registered function and the version of its meaning."""

    run: Function
    version: int


REGISTRY: dict[str, JobFunction] = {}
"""Name -> function, filled by :func:`job` as modules are imported."""


def job(name: str, version: int = 1) -> Callable[[F], F]:
    """Register a function under ``name``; raise ``version`` whenever its results change.

    Raises:
        JobError: when another function has the name already.

    >>> @job("example.double")
    ... def double(config, inputs, ctx):
    ...     return {"twice": 2 * config["x"]}
    >>> REGISTRY.pop("example.double").version
    1
    """

    def register(run: F) -> F:
        known = REGISTRY.get(name)
        if known is not None and _origin(known.run) != _origin(run):
            raise JobError(f"job {name!r} is {_origin(known.run)} already: give {_origin(run)} another name")
        REGISTRY[name] = JobFunction(run, version)
        return run

    return register


def _origin(run: Function) -> str:
    """File and name of a function: the same for a module that is imported twice."""
    code = getattr(run, "__code__", None)
    return f"{getattr(code, 'co_filename', run.__module__)}:{getattr(run, '__qualname__', repr(run))}"


@dataclass(frozen=True)
class Numerics:
    """What decides rounding: the type of device (never its index), dtype, and number of threads."""

    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        if ":" in self.device:
            raise JobError(f"numerics.device: {self.device!r} names one device; give its type, e.g. 'cuda'")
        if self.threads < 1:
            raise JobError(f"numerics.threads: expected at least 1, got {self.threads}")


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work as data. Two jobs with the same :attr:`key` are one job (and are equal).

    Attributes:
        name, version: the registered function that does it.
        config: its settings, JSON, defaults written out; copied, not to be changed afterwards.
        inputs: the jobs whose results it reads, by the name under which it reads them.
        parts: versions of the named parts it uses (scores, signals, models, ...).
        data: digest of the data it reads.
        numerics: device type, dtype, threads.
        label: human text (by default name and key); not in the key.
        cost: weight in progress bars, e.g. epochs; not in the key.
        group: what it belongs to in a display; not in the key.
        where: where on this machine its data are found, JSON; not in the key, which has their digest.
        key: sha256 of the canonical JSON of all the others, inputs by their keys.

    Raises:
        JobError: when the config cannot be said in JSON; the message has the path.

    >>> dense = Job("train", 1, {"epochs": 2})
    >>> pruned = Job("prune", 1, {"density": 0.1}, inputs={"dense": dense}, label="at 2ep")
    >>> pruned == Job("prune", 1, {"density": 0.1}, inputs={"dense": dense}, cost=5.0)
    True
    >>> pruned.key == Job("prune", 2, {"density": 0.1}, inputs={"dense": dense}).key
    False
    """

    name: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, Job] = field(default_factory=dict)
    parts: Mapping[str, int] = field(default_factory=dict)
    data: str = ""
    numerics: Numerics = field(default_factory=Numerics)
    label: str = ""
    cost: float = 1.0
    group: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise JobError("a job needs a name: that of a function registered with @job")
        if not self.cost >= 0:
            raise JobError(f"{self.name}: cost: expected a number >= 0, got {self.cost}")
        copies = {"config": plain(self.config, f"{self.name}: config"), "inputs": dict(self.inputs)}
        copies["where"] = plain(self.where, f"{self.name}: where")
        for name, value in (*copies.items(), ("parts", dict(self.parts))):
            object.__setattr__(self, name, value)
        key = hashlib.sha256(canonical(self.identity, self.name).encode()).hexdigest()
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "label", self.label or f"{self.name} {key[:8]}")

    @property
    def identity(self) -> dict[str, Any]:
        """What the key is made of."""
        return {
            "name": self.name,
            "version": self.version,
            "config": self.config,
            "inputs": {name: job.key for name, job in self.inputs.items()},
            "parts": self.parts,
            "data": self.data,
            "numerics": asdict(self.numerics),
        }

    @property
    def spec(self) -> dict[str, Any]:
        """The job as JSON: its identity, what is only for display, and where its data are."""
        return self.identity | {"label": self.label, "cost": self.cost, "group": self.group, "where": self.where}

    @property
    def function(self) -> Function:
        """The registered function.

        Raises:
            JobError: when none has the name, or the code has another version than the job asks for.
        """
        found = REGISTRY.get(self.name)
        if found is None:
            raise JobError(f"no job function is called {self.name!r}{did_you_mean(self.name, REGISTRY)}")
        if found.version != self.version:
            raise JobError(
                f"{self.label}: version {self.version} of {self.name!r} is asked for, the code has {found.version}; "
                "build the job with the code's version"
            )
        return found.run

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Job) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)
