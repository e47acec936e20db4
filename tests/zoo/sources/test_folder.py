"""Folders of images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from secateurs.core import DataError
from secateurs.zoo import image_folder


@pytest.fixture
def root(tmp_path: Path, pixels: np.ndarray, encode: Callable[..., bytes]) -> Path:
    """Classes ant, bee; ten training and three test images of each, by index PNG, JPEG or nested."""
    base = tmp_path / "insects"
    for split, number in (("train", 10), ("test", 3)):
        for offset, name in ((0, "bee"), (20, "ant")):
            for i in range(number):
                kind = "JPEG" if i % 3 == 1 else "PNG"
                nested = "more" if i % 3 == 2 else "."
                file = base / split / name / nested / f"{i:02}.{kind.lower() if i else 'PNG'}"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(encode(pixels[offset + i], kind))
    return base


def load(root: Path, **options: object) -> object:
    return image_folder(root=str(root), **options)


def test_classes_are_numbered_by_name(root: Path, pixels: np.ndarray) -> None:
    data = load(root)
    assert data.title == "insects"
    assert data.num_classes == 2
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 6)
    assert data.test.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(data.test.images[0], torch.from_numpy(pixels[20]).permute(2, 0, 1))
    assert torch.equal(data.test.images[3], torch.from_numpy(pixels[0]).permute(2, 0, 1))
    assert load(root, title="Insects").title == "Insects"


def test_val_is_the_test_split_where_there_is_no_other(root: Path) -> None:
    digest = load(root).digest
    (root / "test").rename(root / "val")
    assert load(root).digest == digest


def test_val_beside_test_is_the_validation_split(root: Path) -> None:
    shutil.copytree(root / "test", root / "val")
    data = load(root)
    assert (len(data.train), len(data.validation), len(data.test)) == (20, 6, 6)
    assert len(load(root, train_examples=6).train) == 6
    with pytest.raises(DataError, match=r"val is the validation split already: leave out validation = 4"):
        load(root, validation=4)


def test_a_changed_folder_is_read_again(root: Path, pixels: np.ndarray, encode: Callable[..., bytes]) -> None:
    before = load(root).digest
    (root / "test" / "ant" / "00.PNG").write_bytes(encode(pixels[39]))
    assert load(root).digest != before
    (root / "train" / "ant" / "00.PNG").unlink()
    assert len(load(root).train) == 17


def test_hidden_files_are_passed_over(root: Path) -> None:
    digest = load(root).digest
    (root / "train" / ".DS_Store").write_text("")
    (root / "train" / "bee" / ".hidden").write_text("")
    (root / ".git").mkdir()
    assert load(root).digest == digest


def break_with(root: Path, what: str) -> None:
    if what == "text file":
        (root / "train" / "bee" / "notes.txt").write_text("")
    elif what == "beside":
        (root / "train" / "labels.csv").write_text("")
    elif what == "empty class":
        shutil.rmtree(root / "test" / "bee")
        (root / "test" / "bee").mkdir()
    elif what == "missing class":
        (root / "test" / "bee").rename(root / "test" / "bea")
    elif what == "unknown class":
        shutil.copytree(root / "test" / "bee", root / "test" / "wasp")
    elif what == "one class":
        shutil.rmtree(root / "train" / "bee")
    elif what == "no train":
        shutil.rmtree(root / "train")
    elif what == "no test":
        (root / "test").rename(root / "tests")
    elif what == "corrupt":
        (root / "train" / "bee" / "00.PNG").write_bytes(b"no image")
    elif what == "sizes":
        shutil.copy(root / "train" / "bee" / "00.PNG", root / "train" / "bee" / "kept.png")
        from PIL import Image

        Image.new("RGB", (9, 9)).save(root / "train" / "ant" / "odd.png")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("text file", r"train/bee/notes.txt: is no image \(1 such files in .*bee\): move it away"),
        ("beside", r"train: labels.csv \(1 such files\) lies beside the class folders"),
        ("empty class", r"test/bee: holds no images"),
        ("missing class", r"train: has no folder for class 'bea'.*did you mean 'bee'"),
        ("unknown class", r"train: has no folder for class 'wasp'"),
        ("one class", r"train: has 1 class folders, at least 2 are needed"),
        ("no train", r"train: there is no such folder: images belong into .*train/<class>/"),
        ("no test", r"insects: has neither a folder test nor val .*did you mean 'tests'"),
        ("corrupt", r"1 of 20 images cannot be decoded: .*train/bee/00.PNG \(the first: cannot identify"),
        ("sizes", r"5 x 6 \(21 images, .*, 9 x 9 \(1 images, the first: .*ant/odd.png\): set size"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_by_name(root: Path, what: str, message: str) -> None:
    break_with(root, what)
    with pytest.raises(DataError, match=message):
        load(root)


def test_a_root_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: there is no such folder, seen from .*: correct root"):
        load(tmp_path / "nowhere")
