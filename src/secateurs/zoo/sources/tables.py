"""Images in tables: parquet files, and what the hub's tables have in common with them.

A table has a column of encoded images (structs ``{bytes, path}``, as the hub writes them, or plain
binary) and a column of integer labels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from secateurs.core import DataError, did_you_mean
from secateurs.zoo.data import Dataset
from secateurs.zoo.sources.cache import cached
from secateurs.zoo.sources.encoded import Encoded, Source, extra
from secateurs.zoo.sources.split import assemble

_USUAL = {"image": ("image", "img"), "label": ("label", "fine_label")}


def parquet(
    *,
    train: str,
    test: str,
    image: str | None = None,
    label: str | None = None,
    size: int | None = None,
    validation: int | None = None,
    train_examples: int | None = None,
    title: str | None = None,
) -> Dataset:
    """Images from local parquet files.

    Args:
        train, test: a file's path, or a pattern such as ``shards/train-*.parquet``; relative to the current directory.
        image, label: columns; None finds ``image`` or ``img``, and ``label`` or ``fine_label``.
        size: cut every image to its central square and resize it to ``size`` x ``size``; None leaves it as it is.
        validation: training examples held out, stratified; None for a tenth.
        train_examples: train on a stratified subset of the others; None for all.
        title: what reports call the data; None for the files' names.

    Raises:
        DataError: for missing files or columns, images or labels that cannot be used.
    """
    sources = [parquet_source(pattern, image, label) for pattern in (train, test)]
    return assemble(
        "parquet",
        title or f"{Path(train).name} and {Path(test).name}",
        *(cached(source, size) for source in sources),
        validation=validation,
        train_examples=train_examples,
    )


def parquet_source(pattern: str, image: str | None = None, label: str | None = None) -> Source:
    """The parquet files that ``pattern`` names, in the order of their names, as one split.

    Raises:
        DataError: when there is no such file.
    """
    files = _files(pattern)
    digests = []
    for file in files:
        with file.open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    return Source(pattern, ("parquet", image, label, *digests), partial(_read, files, pattern, image, label))


def encoded_table(table: Any, where: str, image: str | None, label: str | None) -> Encoded:
    """Images and labels of an arrow table.

    Raises:
        DataError: when a column is missing or of another kind, or a label is missing or negative.
    """
    arrow, compute = extra("pyarrow"), extra("pyarrow.compute")
    if not table.num_rows:
        raise DataError(f"{where}: holds no rows: name a file that does")
    images = table.column(_column(table.column_names, where, "image", image))
    if arrow.types.is_struct(images.type) and images.type.get_field_index("bytes") >= 0:
        images = compute.struct_field(images, "bytes")
    if not (arrow.types.is_binary(images.type) or arrow.types.is_large_binary(images.type)):
        raise DataError(
            f"{where}: the image column is of type {images.type}, but must hold encoded images (PNG, JPEG, ...) as "
            "structs with a field `bytes`, or as binary: name another one by `image`"
        )
    name = _column(table.column_names, where, "label", label)
    labels = table.column(name)
    if not arrow.types.is_integer(labels.type):
        raise DataError(
            f"{where}: the labels in column {name!r} are of type {labels.type}, but must be integers from 0: "
            "number the classes, or name another column by `label`"
        )
    if labels.null_count:
        row = labels.is_null().to_pylist().index(True)
        raise DataError(f"{where}: row {row} has no label ({labels.null_count} such rows): remove those rows")
    numbers = torch.tensor(labels.to_pylist(), dtype=torch.int64)
    if len(numbers) and int(numbers.min()) < 0:
        negative = (numbers < 0).nonzero().flatten()
        raise DataError(
            f"{where}: label {int(numbers[negative[0]])} in row {int(negative[0])} is negative ({len(negative)} such "
            "rows), which often marks unlabelled examples: use a labelled split, or remove those rows"
        )
    return Encoded(where, images.to_pylist(), numbers)


def _read(files: Sequence[Path], where: str, image: str | None, label: str | None) -> Encoded:
    arrow, parquet_module = extra("pyarrow"), extra("pyarrow.parquet")
    tables = []
    for file in files:
        try:
            names = parquet_module.read_schema(file).names
            wanted = [_column(names, str(file), "image", image), _column(names, str(file), "label", label)]
            tables.append(parquet_module.read_table(file, columns=list(dict.fromkeys(wanted))))
        except (arrow.ArrowException, OSError) as error:
            raise DataError(f"{file}: cannot be read as parquet ({error}): copy or download it again") from error
    try:
        table = arrow.concat_tables(tables)
    except arrow.ArrowException as error:
        raise DataError(f"{where}: the files have different columns ({error}): name files of one kind") from error
    return encoded_table(table, where, image, label)


def _column(names: Sequence[str], where: str, role: str, chosen: str | None) -> str:
    if chosen is not None:
        if chosen not in names:
            raise DataError(f"{where}: no column {chosen!r} for `{role}`{did_you_mean(chosen, names)}")
        return chosen
    found = [name for name in _USUAL[role] if name in names]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{where}: {' and '.join(found)} could both be the {role} column: name one by `{role}`")
    raise DataError(
        f"{where}: no column {' or '.join(_USUAL[role])}{did_you_mean(role, names)}: name the column by `{role}`"
    )


def _files(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"{path}: is a folder: name a parquet file in it, or a pattern such as {path / '*.parquet'}")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}, seen from {Path.cwd()}: correct the path")
    files = sorted(path.parent.glob(path.name))
    if not files:
        there = [file.name for file in path.parent.glob("*.parquet")]
        raise DataError(f"{path}: there is no such file{did_you_mean(path.name, there)}")
    return files
