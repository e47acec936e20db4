"""A store: a folder with one entry per job, named by the job's key, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secateurs.core import StoreError
from secateurs.jobs.entry import Entry
from secateurs.jobs.files import write_json, writing
from secateurs.jobs.graph import closure
from secateurs.jobs.job import Job
from secateurs.jobs.lock import lock

if TYPE_CHECKING:
    import pandas

FORMAT = 1
_HEAD = "store.json"
_KEY = re.compile(r"[0-9a-f]{64}")
_TRASH = ".trash-"


class Store:
    """The results of jobs in a local folder.

    Args:
        root: the folder.
        create: make it when it is absent.

    Raises:
        StoreError: when the folder holds something else, or a store of another format.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Store(folder).entry(Job("train", 1, {})).state
    'absent'
    """

    def __init__(self, root: str | Path, *, create: bool = True) -> None:
        self.root = Path(root).absolute()
        head = self.root / _HEAD
        if not head.exists():
            if not create:
                raise StoreError(f"{self.root}: there is no store here; name the folder that a run wrote into")
            with writing(self.root):
                self.root.mkdir(parents=True, exist_ok=True)
            others = any(not path.name.startswith(f".{_HEAD}") for path in self.root.iterdir())
            if others and not head.exists():  # another process may have made the store just now
                raise StoreError(f"{self.root}: holds files but is no store; name an empty or a new folder")
            write_json(head, {"format": FORMAT})
        try:
            found = json.loads(head.read_text(encoding="utf-8"))["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"{head}: cannot be read ({error}); restore it, or use another folder") from error
        if found != FORMAT:
            raise StoreError(
                f"{self.root}: a store of format {found}, this version of secateurs reads format {FORMAT}; "
                "use the version that wrote it, or another folder"
            )

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def entry(self, job: Job | str) -> Entry:
        """The entry of a job, or of a key; it need not exist yet."""
        return Entry(self.root / (job.key if isinstance(job, Job) else job))

    def entries(self) -> tuple[Entry, ...]:
        """All entries that were ever begun, by key."""
        return tuple(Entry(path) for path in sorted(self.root.iterdir()) if _KEY.fullmatch(path.name))

    def rows(self, jobs: Iterable[Job] | None = None) -> list[dict[str, Any]]:
        """One flat row per finished job (of ``jobs``, in their order; by default of the store).

        Columns: ``key, name, label, group, seconds``, the settings as ``config.train.lr`` and
        what the job returned as ``summary.test_accuracy``.
        """
        entries = self.entries() if jobs is None else [self.entry(job) for job in jobs]
        return [_row(entry) for entry in entries if entry.done]

    def table(self) -> pandas.DataFrame:
        """:meth:`rows` as a data frame.

        Raises:
            StoreError: when pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise StoreError("store.table() needs pandas: pip install 'secateurs[analysis]'") from error
        return pandas.DataFrame(self.rows())

    def gc(self, keep: Iterable[Job]) -> int:
        """Remove the entries of all other jobs than ``keep`` and their inputs; return the bytes freed.

        An entry that a living process works on stays.

        Raises:
            StoreError: when something cannot be removed.
        """
        needed = {job.key for job in closure(keep)}
        freed = 0
        with writing(self.root):
            for entry in self.entries():
                if entry.key in needed:
                    continue
                with lock(entry.path) as ours:
                    if ours:  # renamed as a whole: a process that dies here leaves no half entry
                        entry.path.rename(self.root / f"{_TRASH}{entry.key}")
            for trash in self.root.glob(f"{_TRASH}*"):
                freed += sum(path.stat().st_size for path in trash.rglob("*") if path.is_file())
                shutil.rmtree(trash)
        return freed


def _row(entry: Entry) -> dict[str, Any]:
    spec = entry.spec
    row: dict[str, Any] = {"key": entry.key}
    row |= {name: spec[name] for name in ("name", "label", "group")} | {"seconds": entry.seconds}
    return row | flatten(spec["config"], "config") | flatten(entry.summary, "summary")


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names; lists stay whole.

    >>> flatten({"train": {"lr": 0.1}, "sizes": [1, 2]}, "config")
    {'config.train.lr': 0.1, 'config.sizes': [1, 2]}
    """
    flat: dict[str, Any] = {}
    for name, item in value.items():
        path = f"{prefix}.{name}" if prefix else name
        flat |= flatten(item, path) if isinstance(item, Mapping) and item else {path: item}
    return flat
