"""Named data sets: local files, the hub, and no hub."""

from __future__ import annotations

import inspect
import typing
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch

from secateurs.core import DataError
from secateurs.zoo import DATASETS, cifar10, cifar100, parquet, tiny_imagenet
from secateurs.zoo.sources import hub


@pytest.fixture
def ten(pixels: np.ndarray, encode: Callable[..., bytes]) -> dict[str, list[Any]]:
    """Ten classes, four of each."""
    return {"images": [encode(array) for array in pixels], "labels": [i % 10 for i in range(40)]}


def test_a_local_folder_is_read_instead_of_the_hub(
    ten: dict[str, list[Any]], tmp_path: Path, write_parquet: Callable[..., str]
) -> None:
    paths = {split: write_parquet(tmp_path / f"{split}-0.parquet", **ten, image="img") for split in ("train", "test")}
    data = cifar10(folder=str(tmp_path), validation=10)
    assert (data.name, data.title, data.num_classes) == ("cifar10", "CIFAR-10", 10)
    assert cifar10(folder=str(tmp_path), validation=10, title="CIFAR-10 (JPEG copy)").title == "CIFAR-10 (JPEG copy)"
    assert torch.equal(data.train.images, parquet(**paths, validation=10).train.images)


def test_the_number_of_classes_is_the_published_one(
    ten: dict[str, list[Any]], tmp_path: Path, write_parquet: Callable[..., str]
) -> None:
    for split in ("train", "test", "valid"):
        write_parquet(
            tmp_path / f"{split}.parquet", ten["images"], ten["labels"], label="label", fine_label=ten["labels"]
        )
    with pytest.raises(DataError, match=r"train\*.parquet: no example of class 10, 11, .* and 80 more among 40"):
        cifar100(folder=str(tmp_path))
    with pytest.raises(DataError, match="there are 200 classes"):
        tiny_imagenet(folder=str(tmp_path))


@pytest.mark.parametrize(("name", "title", "classes"), [("cifar100", "CIFAR-100", 100), ("svhn", "SVHN", 10)])
def test_both_are_loaded_by_their_names(
    name: str,
    title: str,
    classes: int,
    pixels: np.ndarray,
    encode: Callable[..., bytes],
    tmp_path: Path,
    write_parquet: Callable[..., str],
) -> None:
    """CIFAR-100 by its fine labels, beside which stand coarse ones, which are not read."""
    images, labels = [encode(pixels[0])] * 200, [i % classes for i in range(200)]
    for split in ("train", "test"):
        fine = {"fine_label": labels} if classes == 100 else {}
        write_parquet(tmp_path / f"{split}.parquet", images, [0] * 200 if fine else labels, image="img", **fine)
    data = DATASETS[name](folder=str(tmp_path), validation=100)
    assert (data.name, data.title, data.num_classes, len(data.train)) == (name, title, classes, 100)
    assert data.test.targets.bincount().tolist() == [200 // classes] * classes


def test_a_folder_without_the_files_says_what_is_there(
    ten: dict[str, list[Any]], tmp_path: Path, write_parquet: Callable[..., str]
) -> None:
    write_parquet(tmp_path / "training.parquet", **ten)
    with pytest.raises(DataError, match=r"test\*.parquet: there is no such file; choices: training.parquet"):
        cifar10(folder=str(tmp_path))
    with pytest.raises(DataError, match=r"absent: there is no such folder, .*correct `folder`"):
        cifar10(folder=str(tmp_path / "absent"))


@pytest.fixture
def on_the_hub(monkeypatch: pytest.MonkeyPatch, pixels: np.ndarray) -> list[tuple[Any, ...]]:
    """``datasets.load_dataset`` answers with ten classes; returns what was asked for."""
    from PIL import Image

    asked: list[tuple[Any, ...]] = []
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(num_classes=10)})

    def answer(name: str, config: str, split: str) -> datasets.Dataset:
        asked.append((name, config, split))
        rows = {"img": [Image.fromarray(array) for array in pixels], "label": [i % 10 for i in range(40)]}
        return datasets.Dataset.from_dict(rows, features=features)

    monkeypatch.setattr(datasets, "load_dataset", answer)
    return asked


def test_the_hub_is_asked_once_and_its_images_arrive_unchanged(
    on_the_hub: list[tuple[Any, ...]], pixels: np.ndarray
) -> None:
    data = cifar10(validation=10)
    assert on_the_hub == [("uoft-cs/cifar10", "plain_text", "train"), ("uoft-cs/cifar10", "plain_text", "test")]
    assert torch.equal(data.test.images, torch.from_numpy(pixels).permute(0, 3, 1, 2))
    assert data.test.targets.tolist() == [i % 10 for i in range(40)]
    cifar10(validation=10, train_examples=20)
    assert len(on_the_hub) == 2


def no_answer(*_: object, **__: object) -> None:
    raise urllib.error.URLError("Name or service not known")


def test_without_a_network_the_error_comes_at_once_and_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.urllib.request, "urlopen", no_answer)
    before = datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    source = hub.hub_source("secateurs-tests/absent", "plain_text", "train", "label")
    expected = r"secateurs-tests/absent, split train: not on this machine, .* cannot be reached: Name or service not"
    with pytest.raises(DataError, match=expected + r" known\): download the set's parquet files .*option `folder`"):
        source.read()
    assert datasets.config.HF_HUB_OFFLINE is False
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", before)


def test_an_offline_setting_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.urllib.request, "urlopen", None)  # would raise something else if it were called
    with pytest.raises(DataError, match="HF_HUB_OFFLINE is set"):
        hub.hub_source("secateurs-tests/absent", "plain_text", "train", "label").read()
    assert datasets.config.HF_HUB_OFFLINE is True


def test_the_hub_is_asked_online_when_it_answers_and_its_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def refuse(name: str, config: str, split: str) -> None:
        asked.append(datasets.config.HF_HUB_OFFLINE)
        raise FileNotFoundError(f"Dataset {name} is gone")

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    monkeypatch.setattr(hub, "_unreachable", lambda endpoint: None)
    with pytest.raises(DataError, match="Dataset a/b is gone"):
        hub.hub_source("a/b", "c", "train", "label").read()
    assert asked == [True, False]


def test_any_answer_means_that_the_hub_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(request: Any, timeout: float) -> None:
        assert timeout <= 10
        raise urllib.error.HTTPError(request.full_url, 403, "no", typing.cast(Any, {}), None)

    monkeypatch.setattr(hub.urllib.request, "urlopen", forbidden)
    assert hub._unreachable("https://example.org") is None
    assert hub._unreachable("file:///etc/hosts") == "file:///etc/hosts is no web address"


@pytest.mark.parametrize("name", DATASETS)
def test_every_option_of_a_data_set_can_be_a_recipe_field(name: str) -> None:
    signature = inspect.signature(DATASETS[name])
    hints = typing.get_type_hints(DATASETS[name])
    for option in signature.parameters.values():
        assert option.kind is option.KEYWORD_ONLY
        assert option.name in hints
        required = {"parquet": {"train", "test"}, "image_folder": {"root"}, "imagenet": {"root"}}.get(name, set())
        assert (option.default is option.empty) == (option.name in required)
    assert DATASETS[name].__name__ == name
    assert DATASETS[name].__doc__


def test_recipes_can_hold_the_options_of_every_data_set() -> None:
    for function in DATASETS.values():
        for hint in typing.get_type_hints(function).values():
            assert hint in (int, str, bool, int | None, str | None) or hint.__name__ == "Dataset"
