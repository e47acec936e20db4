"""Images from their files batch by batch: the bits that memory gives, in their order, no more work than asked."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from secateurs.core import DataError, Spec
from secateurs.train import TrainSettings, begin, train
from secateurs.zoo import AUGMENTATIONS, Dataset, image_folder, imagenet, streamed
from secateurs.zoo.sources import split as split_module
from secateurs.zoo.sources.decode import decode_file
from toys import generator, same_bits, surroundings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three classes of 12 training and 4 test images each, of many sizes and two formats; some lie deeper."""
    random, base = np.random.default_rng(0), tmp_path / "pictures"
    for part, number in (("train", 12), ("val", 4)):
        for label, name in enumerate(("ant", "bee", "cat")):
            for i in range(number):
                file = base / part / name / ("deep" if i % 4 == 3 else ".") / f"{i:02}.{'jpg' if i % 3 else 'png'}"
                file.parent.mkdir(parents=True, exist_ok=True)
                shape = (*random.integers(9, 25, 2), 3)
                Image.fromarray((random.integers(0, 120, shape) + 60 * label).astype(np.uint8)).save(file)
    return base


def both(root: Path, **options: Any) -> tuple[Dataset, Dataset]:
    """The folder in memory, and streamed."""
    options = {"size": 10, "validation": 6} | options
    return image_folder(root=str(root), **options), image_folder(root=str(root), stream=True, **options)


def same(one: Any, other: Any) -> None:
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.targets, b.targets)


@pytest.mark.parametrize("crop", [None, 6])
def test_streamed_images_are_those_in_memory_bit_for_bit(root: Path, crop: int | None) -> None:
    memory, stream = both(root, crop=crop)
    around = surroundings()
    assert stream.input_shape == memory.input_shape == ((3, 10, 10) if crop is None else (3, 6, 6))
    for part in ("train", "validation", "test"):
        a, b = getattr(memory, part), getattr(stream, part)
        assert torch.equal(a.mean, b.mean)
        assert torch.equal(a.std, b.std)
        same(a.batches(5), b.batches(5))
        same(a.batches(4, limit=6), b.batches(4, limit=6))
        same([a.batch(torch.tensor([2, 0]))], [b.batch(torch.tensor([2, 0]))])
    for augment in AUGMENTATIONS:
        same(*(data.train.epoch(2, 7, 3, augment) for data in (memory, stream)))  # type: ignore[arg-type]
    same(memory.train.epoch(0, 7, 1, "flip_crop", 2), stream.train.epoch(0, 7, 1, "flip_crop", 2))
    same(memory.train.probe(8, 1).batches(3), stream.train.probe(8, 1).batches(3))
    same(memory.train.balanced(2, generator(4)), stream.train.balanced(2, generator(4)))
    assert torch.equal(memory.example, stream.example)
    assert memory.digest != stream.digest
    assert surroundings() == around


def test_training_on_streamed_images_gives_the_bits_of_training_in_memory(root: Path) -> None:
    settings = TrainSettings(epochs=2, batch_size=8, augment="flip_crop")
    models = []
    for data in both(root, crop=8):
        state = begin(Spec("digits_resnet", {"width": 2}), data, settings, init_seed=0)
        models.append(train(state, data, settings, until="2ep", order_seed=1).model)
    assert same_bits(*models)


def test_a_crop_is_the_middle_unless_augmentation_moves_it(root: Path) -> None:
    whole, cut = (image_folder(root=str(root), size=10, crop=crop, stream=True) for crop in (None, 6))
    for a, b in zip(whole.test.batches(5), cut.test.batches(5), strict=True):
        assert torch.equal(a.inputs[..., 2:8, 2:8], b.inputs)
    image = whole.train.batch(torch.tensor([0])).inputs
    windows = [image.flip(-1) if flip else image for flip in (0, 1)]
    windows = [w[..., y : y + 6, x : x + 6] for w in windows for y in range(5) for x in range(5)]
    one = cut.train.subset(torch.zeros(300, dtype=torch.int64))
    shown = {next(i for i, w in enumerate(windows) if torch.equal(w[0], seen))
             for batch in one.epoch(0, 100, 0, "flip_crop") for seen in batch.inputs}  # fmt: skip
    assert len(shown) == 50  # every window comes, and nothing else


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were decoded."""
    seen: list[str] = []

    def counted(file: str, size: int) -> torch.Tensor:
        seen.append(file)
        return decode_file(file, size)

    monkeypatch.setattr("secateurs.zoo.sources.folder.decode_file", counted)
    return seen


def decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_no_more_is_decoded_than_is_asked_for(root: Path, decoded: list[str]) -> None:
    data = image_folder(root=str(root), size=10, stream=True, validation=6)
    assert len(decoded) == 30  # the normalisation's sample: here, all of them
    decoded.clear()
    assert len(list(data.train.epoch(0, 10, 0, first_step=2))) == 1
    assert len(decoded) == 10
    decoded.clear()
    data.train.probe(4, 0)
    assert data.digest == data.to("cpu").digest
    assert not decoded
    batches = data.train.epoch(0, 5, 0)
    next(batches)
    assert decoders()
    batches.close()  # type: ignore[attr-defined]
    assert len(decoded) <= 5 * (1 + streamed.AHEAD)
    assert not decoders()


@pytest.mark.parametrize("workers", [1, 7])
def test_the_number_of_threads_has_no_say(root: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = image_folder(root=str(root), size=10, stream=True)
    expected = list(data.train.epoch(1, 6, 2, "shift"))
    monkeypatch.setattr(streamed, "_workers", lambda: workers)
    same(expected, data.train.epoch(1, 6, 2, "shift"))


def test_the_normalisation_of_many_images_is_measured_on_some(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, _ = both(root)
    monkeypatch.setattr(split_module, "SAMPLE", 15)
    monkeypatch.setattr(split_module, "CHUNK", 4)
    stream = both(root)[1]
    assert not torch.equal(stream.train.mean, memory.train.mean)
    torch.testing.assert_close(stream.train.mean, memory.train.mean, rtol=0.2, atol=0)
    assert torch.equal(stream.train.mean, both(root)[1].train.mean)
    assert torch.equal(both(root)[0].train.mean, memory.train.mean)  # however many are counted at a time


def test_the_digest_follows_from_files_and_sizes(root: Path, tmp_path: Path) -> None:
    def digest(where: Path = root, **options: Any) -> str:
        return image_folder(root=str(where), **{"size": 10, "stream": True} | options).digest

    first = digest()
    shutil.copytree(root, tmp_path / "moved")  # with its times of change
    assert digest(tmp_path / "moved") == first
    others = {digest(size=12), digest(crop=8), digest(validation=9), digest(train_examples=20)}
    assert len(others | {first}) == 5
    file = root / "train" / "ant" / "01.jpg"
    stamp = file.stat().st_mtime_ns
    os.utime(file, ns=(stamp, stamp + 1))
    assert digest() != first
    os.utime(file, ns=(stamp, stamp))
    assert digest() == first
    file.rename(file.with_name("77.jpg"))
    assert digest() != first


def test_imagenet_is_a_folder_with_the_usual_normalisation(root: Path) -> None:
    data = imagenet(root=str(root), validation=6)
    assert (data.name, data.title, data.num_classes, data.input_shape) == ("imagenet", "ImageNet", 3, (3, 224, 224))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [30, 6, 12]
    assert data.train.images.shape == (30, 3, 256, 256)
    torch.testing.assert_close(data.train.mean / 255, torch.tensor([0.485, 0.456, 0.406]))
    torch.testing.assert_close(data.train.std / 255, torch.tensor([0.229, 0.224, 0.225]))
    small = imagenet(root=str(root), size=8, crop=8, title="Small")
    assert (small.title, small.input_shape) == ("Small", (3, 8, 8))
    batch = next(small.train.epoch(0, 4, 0, "flip_crop"))
    assert batch.inputs.shape == (4, 3, 8, 8)


def test_all_modes_become_colour(root: Path) -> None:
    for mode, name in (("L", "grey.png"), ("P", "palette.png"), ("CMYK", "print.jpg"), ("RGBA", "clear.png")):
        Image.new("RGB", (12, 10), (102, 102, 102)).convert(mode).save(root / "val" / "ant" / name)
    data = image_folder(root=str(root), size=10, stream=True)
    files = [Path(file).name for file in data.test.images.files]  # type: ignore[union-attr]
    for name in ("grey.png", "palette.png", "print.jpg", "clear.png"):
        pixels = data.test.images[torch.tensor([files.index(name)])]
        assert pixels.shape == (1, 3, 10, 10)
        assert int((pixels.int() - 102).abs().max()) <= 3


@pytest.mark.parametrize("damage", ["text", "cut short", "empty", "bomb", "deep", "gone"])
def test_a_file_that_is_no_image_is_named_when_its_batch_is_due(
    root: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = image_folder(root=str(root), size=10, stream=True)
    file = root / "val" / "bee" / "02.jpg"
    content = file.read_bytes()
    expected = "cannot be decoded"
    if damage == "text":
        file.write_text("no image")
    elif damage == "cut short":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "bomb":
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    elif damage == "gone":
        file.unlink()
    else:
        Image.fromarray(np.full((9, 9), 40000, np.uint16)).save(file, "PNG")
        expected = "has more than 8 bits a channel"
    if damage != "bomb":
        assert len(next(data.test.batches(6)).targets) == 6
    named = "val/" if damage == "bomb" else "val/bee/02.jpg"
    with pytest.raises(DataError, match=rf"{named}.*: {expected}.*: (repair or remove it|convert it)"):
        list(data.test.batches(6))
    assert not decoders()


def outside(root: Path, what: str) -> str:
    """Make a link that leads out of its split's folder; returns what is said of it."""
    other = root.parent / "other"
    other.mkdir()
    Image.new("RGB", (9, 9)).save(other / "secret.png")
    if what == "file":
        (root / "train" / "ant" / "link.png").symlink_to(other / "secret.png")
        return r"train/ant/link.png: is a link to .*other/secret.png, outside of .*pictures/train: put the files"
    if what == "folder":
        (root / "train" / "ant" / "more").symlink_to(other)
        return r"train/ant/more: is a link to .*other, outside of .*pictures/train"
    (root / "train" / "dog").symlink_to(other)
    return r"train/dog: is a link to .*other, outside of .*pictures/train"


@pytest.mark.parametrize("what", ["file", "folder", "class"])
@pytest.mark.parametrize("stream", [False, True])
def test_links_that_lead_out_of_the_folder_are_refused(root: Path, what: str, stream: bool) -> None:
    message = outside(root, what)
    if what == "class":
        shutil.copytree(root / "val" / "ant", root / "val" / "dog")
    with pytest.raises(DataError, match=message):
        image_folder(root=str(root), size=10, stream=stream)


def test_links_within_the_folder_are_files_and_links_to_folders_are_refused(root: Path) -> None:
    before = len(image_folder(root=str(root), size=10, stream=True).test)
    (root / "val" / "ant" / "again.png").symlink_to(root / "val" / "ant" / "00.png")
    assert len(image_folder(root=str(root), size=10, stream=True).test) == before + 1
    (root / "val" / "ant" / "all").symlink_to(root / "val" / "bee")
    with pytest.raises(DataError, match=r"val/ant/all: is a link to a folder, or to nothing"):
        image_folder(root=str(root), size=10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream": True}, "image_folder: streamed images must be of one size: set size"),
        ({"stream": True, "size": 0}, "size must be at least 1, got 0"),
        ({"stream": True, "size": 10, "crop": 5}, r"crop must be one of 10, 8, 6, ..., .* of 10 x 10, got 5"),
        ({"size": 10, "crop": 12}, r"crop must be one of 10, 8, 6, .*, got 12"),
        ({"size": 10, "crop": 0}, r"crop must be one of 10, 8, 6, .*, got 0"),
        ({"size": 10, "crop": -2, "stream": True}, r"crop must be one of .*, got -2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(root: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        image_folder(root=str(root), **options)


def test_a_crop_of_images_that_are_not_square_is_refused(root: Path) -> None:
    for file in [*root.rglob("*.png"), *root.rglob("*.jpg")]:
        Image.new("RGB", (8, 6)).save(file)
    with pytest.raises(DataError, match="crop = 4 takes square images, but these are 8 x 6: set size"):
        image_folder(root=str(root), crop=4)
