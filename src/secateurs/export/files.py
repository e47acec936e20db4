"""Files that are whole, checked and in their place, or not there at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from secateurs.core import ExportError


@contextmanager
def draft(path: Path) -> Iterator[Path]:
    """A place to write and check a file before it takes the place of ``path``, with what was written beside it.

    Raises:
        ExportError: when the system refuses; ``path`` is as it was then, and after any other error as well.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            file = Path(folder) / path.name
            file.touch()
            mode = file.stat().st_mode  # as the user's umask has it; safetensors lets nobody else read
            yield file
            for written in sorted(Path(folder).iterdir(), reverse=True):  # what a file refers to before the file itself
                written.chmod(mode)
                written.replace(path.parent / written.name)
    except (OSError, SafetensorError) as error:
        said = getattr(error, "strerror", None) or error
        raise ExportError(
            f"{path}: cannot be written: {said}; see to the folder, the disk and its permissions"
        ) from error
