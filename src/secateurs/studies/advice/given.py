"""The job that takes in a dense network from a file, as if it had been trained here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from secateurs.core import StoreError, TrainingError
from secateurs.jobs import Context, Entry, job
from secateurs.jobs.files import Record, read_tensors
from secateurs.procedures import sound
from secateurs.studies.runs import RunConfig, final_numbers, load_data, located
from secateurs.train import pack


class GivenConfig(RunConfig):
    """What a network from a file follows from: the file's digest; where it lies stands in the job's places.

    Attributes:
        digest: SHA-256 of the file.
        prefix: what the names of its tensors begin with, before those of the network.
    """

    digest: str
    prefix: str = ""


PLACE = "file"
"""The name of the file among a job's places."""


@job("given_state", version=1)
def given_state(config: dict[str, Any], inputs: Mapping[str, Entry], ctx: Context) -> dict[str, Any]:
    """Read a dense network from a file, with a fresh optimiser: what ``state_at`` puts out of a network trained here.

    Tensors: ``state``. The summary has what unpacks them (``state``), and accuracies and losses. A network that is not
    finite has diverged at step 0.
    """
    del inputs
    file = Path(str(ctx.where[PLACE]))
    places = {name: place for name, place in ctx.where.items() if name != PLACE}
    c = GivenConfig.model_validate(located(config, places))
    try:
        expected = Record(file.stat().st_size, c.digest)
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}: put the checkpoint back, and run again") from error
    tensors = read_tensors(file, expected, "it was changed: give the folder again, into another one with --out")
    data = load_data(c.data, str(ctx.device))
    state = c.untrained(data, ctx.device)
    own = {name.removeprefix(c.prefix): value for name, value in tensors.items() if name.startswith(c.prefix)}
    blank = state.model.state_dict()
    try:
        state.model.load_state_dict({name: own.get(name, blank[name]) for name in blank})
    except RuntimeError as error:
        raise TrainingError(f"{file}: is of another network than {c.model.name}: {error}") from error
    if not sound(state.model):
        return {"diverged": str(state.moment)}
    packed, meta = pack(state)
    ctx.save(packed, name="state")
    return {"state": meta, **final_numbers(state, data)}
