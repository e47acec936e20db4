"""Parquet files: what is read, and every way in which they can be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from secateurs.core import DataError
from secateurs.zoo import parquet

Write = Callable[..., str]
Encode = Callable[..., bytes]


def sorted_images(*sets: Any) -> list[bytes]:
    return sorted(bytes(image.numpy().tobytes()) for part in sets for image in part.images)


def test_every_image_arrives_with_its_label(files: dict[str, str], pixels: np.ndarray, labels: list[int]) -> None:
    data = parquet(**files)
    expected = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    assert data.input_shape == (3, 6, 5)
    assert data.num_classes == 4
    assert (len(data.train), len(data.validation), len(data.test)) == (36, 4, 8)
    assert torch.equal(data.test.images, expected[:8])
    assert data.test.targets.tolist() == labels[:8]
    label_of = {expected[i].numpy().tobytes(): labels[i] for i in range(40)}
    assert sorted_images(data.train, data.validation) == sorted(label_of)
    for part in (data.train, data.validation):
        for image, target in zip(part.images, part.targets.tolist(), strict=True):
            assert label_of[image.contiguous().numpy().tobytes()] == target


def test_normalisation_is_that_of_the_training_part_alone(files: dict[str, str]) -> None:
    data = parquet(**files)
    seen = data.train.images.double()
    torch.testing.assert_close(data.train.mean, seen.mean((0, 2, 3)).float())
    torch.testing.assert_close(data.train.std, seen.std((0, 2, 3), correction=0).float())
    for part in (data.validation, data.test):
        assert torch.equal(part.mean, data.train.mean)
        assert torch.equal(part.std, data.train.std)


def test_a_channel_that_never_changes_does_not_become_nan(tmp_path: Path, encode: Encode, write_parquet: Write) -> None:
    array = np.full((2, 2, 3), 9, np.uint8)
    path = write_parquet(tmp_path / "t.parquet", [encode(array)] * 20, [0, 1] * 10)
    data = parquet(train=path, test=path)
    assert not data.train.batch(torch.arange(5)).inputs.any()


@pytest.mark.parametrize(
    "layout",
    [
        {"image": "img", "label": "label"},
        {"image": "image", "label": "fine_label"},
        {"image": "image", "label": "label", "struct": False},
    ],
)
def test_usual_layouts_are_found(
    layout: dict[str, Any], files: dict[str, str], tmp_path: Path, pixels: np.ndarray, labels: list[int],
    encode: Encode, write_parquet: Write,
) -> None:  # fmt: skip
    more = {"coarse_label": labels} if layout["label"] == "fine_label" else {}
    path = write_parquet(tmp_path / "other.parquet", [encode(a) for a in pixels], labels, **layout, **more)
    assert parquet(train=path, test=files["test"]).digest == parquet(**files).digest


def test_columns_can_be_named(tmp_path: Path, pixels: np.ndarray, encode: Encode, write_parquet: Write) -> None:
    images = [encode(array) for array in pixels]
    path = write_parquet(tmp_path / "t.parquet", images, [i % 2 for i in range(40)], image="picture", label="kind")
    assert parquet(train=path, test=path, image="picture", label="kind").num_classes == 2


def test_a_pattern_names_shards_in_the_order_of_their_names(
    files: dict[str, str], tmp_path: Path, pixels: np.ndarray, labels: list[int], encode: Encode, write_parquet: Write
) -> None:
    for shard, rows in (("b", slice(25, 40)), ("a", slice(0, 25))):
        images = [encode(array) for array in pixels[rows]]
        write_parquet(tmp_path / "shards" / f"train-{shard}.parquet", images, labels[rows])
    data = parquet(train=str(tmp_path / "shards" / "train-*.parquet"), test=files["test"])
    assert data.digest == parquet(**files).digest


def test_paths_are_relative_to_the_current_directory(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    digest = parquet(**files).digest
    monkeypatch.chdir(Path(files["train"]).parent)
    assert parquet(train="train.parquet", test=os.path.join(".", "test.parquet")).digest == digest  # noqa: PTH118


def test_greyscale_stays_one_channel_and_colour_anywhere_makes_three(
    files: dict[str, str], tmp_path: Path, pixels: np.ndarray, labels: list[int], encode: Encode, write_parquet: Write
) -> None:
    grey = [encode(array[:, :, 0]) for array in pixels]
    path = write_parquet(tmp_path / "grey.parquet", grey, labels)
    assert parquet(train=path, test=path).input_shape == (1, 6, 5)
    assert torch.equal(parquet(train=path, test=path).test.images[:, 0], torch.from_numpy(pixels[..., 0]))
    both = parquet(train=path, test=files["test"])
    assert both.train.images.shape[1] == both.validation.images.shape[1] == both.test.images.shape[1] == 3
    assert torch.equal(both.train.images[:, 0], both.train.images[:, 2])
    mixed = write_parquet(tmp_path / "mixed.parquet", [*grey[:39], encode(pixels[39])], labels)
    test = parquet(train=files["train"], test=mixed).test.images
    assert torch.equal(test[0], torch.from_numpy(pixels[0, :, :, 0]).expand(3, -1, -1))
    assert torch.equal(test[39], torch.from_numpy(pixels[39]).permute(2, 0, 1))


def test_the_title_is_free_and_changes_nothing_else(files: dict[str, str]) -> None:
    named = parquet(**files, title="Toy (JPEG copy)")
    assert named.title == "Toy (JPEG copy)"
    assert parquet(**files).title == "train.parquet and test.parquet"
    assert named.digest == parquet(**files).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b"] * 20}, r"labels in column 'label' are of type string, but must be integers"),
        ({"labels": [0.5] * 40}, "type double, but must be integers"),
        ({"labels": [0, 1, None, None] * 10}, r"row 2 has no label \(20 such rows\)"),
        ({"labels": [0, 1, 2, -1] * 10}, r"label -1 in row 3 is negative \(10 such rows\)"),
        ({"labels": [0, 1, 2, 400] * 10}, "label 400 in row 3 would make 401 classes out of 40 examples"),
        ({"labels": [0, 1, 2, 5] * 10}, r"no example of class 3, 4 among 40, and there are 6 classes"),
        ({"image": "pixels"}, "no column image or img; choices: label, pixels.*: name the column by `image`"),
        ({"label": "lable"}, "no column label or fine_label; .*did you mean 'lable'"),
        ({"extra": {"img": [b""] * 40}}, "image and img could both be the image column: name one by `image`"),
        ({"options": {"image": "imag"}}, "no column 'imag' for `image`.*did you mean 'image'"),
        ({"options": {"image": "label"}}, "image column is of type int64, but must hold encoded images"),
        ({"options": {"validation": 0}}, r"validation must lie in 1\.\.39 of 40 examples, got 0"),
        ({"options": {"validation": 40}}, r"validation must lie in 1\.\.39 of 40 examples, got 40"),
        ({"options": {"validation": 2}}, "validation = 2 of 40 examples leaves out class 2, .* to at least 4"),
        ({"options": {"train_examples": 37}}, r"train_examples must lie in 1\.\.35 of 36 examples, got 37"),
        ({"options": {"train_examples": 3}}, "train_examples = 3 of 36 examples leaves out class 3, which has 9"),
        ({"options": {"size": 0}}, "size must be at least 1, got 0"),
    ],
)
def test_a_bad_training_file_is_refused_by_name(
    change: dict[str, Any], message: str, files: dict[str, str], tmp_path: Path, pixels: np.ndarray,
    labels: list[int], encode: Encode, write_parquet: Write,
) -> None:  # fmt: skip
    names = {key: change[key] for key in ("image", "label") if key in change}
    path = write_parquet(
        tmp_path / "bad.parquet",
        [encode(a) for a in pixels],
        change.get("labels", labels),
        **names,
        **change.get("extra", {}),
    )
    with pytest.raises(DataError, match=message) as caught:
        parquet(train=path, test=files["test"], **change.get("options", {}))
    assert "size must" in message or "bad.parquet" in str(caught.value)


def test_a_test_label_that_training_does_not_know_is_refused_with_its_row(
    files: dict[str, str], tmp_path: Path, pixels: np.ndarray, encode: Encode, write_parquet: Write
) -> None:
    path = write_parquet(tmp_path / "odd.parquet", [encode(a) for a in pixels[:8]], [0, 1, 2, 3, 0, 7, 7, 1])
    with pytest.raises(DataError, match=r"odd.parquet: label 7 in row 5 lies outside 0\.\.3 \(2 such rows\)"):
        parquet(train=files["train"], test=path)


def test_a_class_that_is_missing_from_the_test_split_is_named(
    files: dict[str, str], tmp_path: Path, pixels: np.ndarray, encode: Encode, write_parquet: Write
) -> None:
    path = write_parquet(tmp_path / "few.parquet", [encode(a) for a in pixels[:4]], [0, 1, 3, 3])
    with pytest.raises(DataError, match=r"few.parquet: no example of class 2 among 4"):
        parquet(train=files["train"], test=path)


def test_missing_files_are_named_with_what_is_near(files: dict[str, str], tmp_path: Path) -> None:
    folder = Path(files["train"]).parent
    with pytest.raises(DataError, match=r"trian.parquet: there is no such file; .*did you mean 'train.parquet'"):
        parquet(train=str(folder / "trian.parquet"), test=files["test"])
    with pytest.raises(DataError, match=r"there is no folder .*nowhere, seen from"):
        parquet(train=str(tmp_path / "nowhere" / "a.parquet"), test=files["test"])
    with pytest.raises(DataError, match=r"is a folder: name a parquet file in it"):
        parquet(train=str(folder), test=files["test"])


def test_a_file_that_is_no_parquet_is_named(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "no.parquet").write_bytes(b"not at all")
    with pytest.raises(DataError, match=r"no.parquet: cannot be read as parquet"):
        parquet(train=str(tmp_path / "no.parquet"), test=files["test"])


def test_an_empty_table_is_refused(files: dict[str, str], tmp_path: Path, write_parquet: Write) -> None:
    path = write_parquet(tmp_path / "empty.parquet", [], np.zeros(0, np.int64))
    with pytest.raises(DataError, match=r"empty.parquet: holds no rows"):
        parquet(train=path, test=files["test"])


def test_train_and_test_of_different_sizes_are_refused_until_size_is_set(
    files: dict[str, str], tmp_path: Path, encode: Encode, write_parquet: Write
) -> None:
    square = [encode(np.full((8, 8, 3), i, np.uint8)) for i in range(8)]
    path = write_parquet(tmp_path / "square.parquet", square, [0, 1, 2, 3] * 2)
    with pytest.raises(DataError, match=r"images of 5 x 6 \(width x height\), .*square.parquet of 8 x 8: set size"):
        parquet(train=files["train"], test=path)
    assert parquet(train=files["train"], test=path, size=7).input_shape == (3, 7, 7)
