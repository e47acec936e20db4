"""Splits of the Hugging Face hub's data sets."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from secateurs.core import DataError
from secateurs.zoo.sources.encoded import Encoded, Source, extra
from secateurs.zoo.sources.tables import encoded_table

PATIENCE = 5.0
"""Seconds that the hub has to answer before it counts as unreachable."""

_log = logging.getLogger(__name__)


def hub_source(name: str, config: str, split: str, label: str) -> Source:
    """One split of a data set on the hub.

    The cache knows it by its name: what was decoded once is used from then on, without a look
    at the network. (Results are keyed by the decoded content, so another version cannot pass for it.)
    """
    return Source(
        f"{name}, split {split}", ("hub", name, config, split, label), partial(_read, name, config, split, label)
    )


def _read(name: str, config: str, split: str, label: str) -> Encoded:
    where = f"{name}, split {split}"
    table = _load(name, config, split).with_format("arrow")[:]
    return encoded_table(table, where, None, label)


def _load(name: str, config: str, split: str) -> Any:
    """From Hugging Face's own cache if it is there, otherwise from the hub.

    Raises:
        DataError: naming the remedy, at once when the hub cannot be reached: left alone, ``datasets`` tries
            again for 23 seconds.
    """
    datasets = extra("datasets")
    with _offline(datasets):
        try:
            return datasets.load_dataset(name, config, split=split)
        except (OSError, ValueError) as error:
            _log.debug("%s is not in Hugging Face's cache: %s", name, error)
    reason = "HF_HUB_OFFLINE is set" if datasets.config.HF_HUB_OFFLINE else _unreachable(datasets.config.HF_ENDPOINT)
    if reason is None:
        try:
            return datasets.load_dataset(name, config, split=split)
        except (OSError, ValueError) as error:
            reason = str(error)
    raise DataError(
        f"{name}, split {split}: not on this machine, and not to be had from the hub ({reason}): download the set's "
        "parquet files where there is a network and name their folder (option `folder`, or data `parquet`), or copy "
        "Hugging Face's cache here"
    )


@contextmanager
def _offline(datasets: Any) -> Iterator[None]:
    """No look at the network in this block; its own variable is read only once, when it is imported."""
    before = datasets.config.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before


def _unreachable(endpoint: str) -> str | None:
    """Why the hub cannot be reached; None when it answers, whatever it says."""
    if not endpoint.startswith(("https://", "http://")):
        return f"{endpoint} is no web address"
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PATIENCE):  # noqa: S310
            return None
    except urllib.error.HTTPError as answer:
        answer.close()
        return None
    except OSError as error:
        return f"{endpoint} cannot be reached: {getattr(error, 'reason', error)}"
