"""One lock per job, held by the process that works on it and given back by the system if that dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from secateurs.core import StoreError

NAME = "lock"


@contextmanager
def lock(folder: Path, wait: Callable[[], None] | None = None) -> Iterator[bool]:
    """Hold the lock of ``folder`` (made if absent) for the block; yields whether it was got.

    While another holds it, ``wait`` is called between two tries (it may raise to give up);
    without ``wait`` there is one try.

    Raises:
        StoreError: when the file system has no locks or cannot be written.
    """
    while (descriptor := _try(folder)) is None and wait is not None:
        wait()
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def held(folder: Path) -> bool:
    """Whether somebody holds the lock now."""
    try:
        descriptor = os.open(folder / NAME, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _try(folder: Path) -> int | None:
    path = folder / NAME
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue  # the folder was removed between the two calls
        except OSError as error:
            raise StoreError(
                f"{path}: cannot be made: {error.strerror}; see to the disk and its permissions"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{path}: no locks here ({error.strerror}); put the store on a local disk") from error
        os.close(descriptor)  # locked a file that was removed meanwhile: it guards nothing
