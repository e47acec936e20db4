"""Holding out and subsets: exact numbers, the classes' proportions, nothing twice."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from secateurs.core import DataError
from secateurs.zoo import parquet
from secateurs.zoo.sources.split import stratified


@given(members=st.lists(st.integers(1, 30), min_size=2, max_size=8), data=st.data())
def test_each_class_gives_its_share_to_within_one(members: list[int], data: st.DataObject) -> None:
    labels = torch.arange(len(members)).repeat_interleave(torch.tensor(members))
    total = len(labels)
    count = data.draw(st.integers(1, total - 1))
    try:
        chosen, rest = stratified(labels, count, "validation", "toy")
    except DataError:
        assume(False)
    assert len(chosen) == count
    assert sorted(torch.cat([chosen, rest]).tolist()) == list(range(total))
    for label, have in enumerate(members):
        assert abs(int((labels[chosen] == label).sum()) - have * count / total) < 1


@given(members=st.lists(st.integers(1, 30), min_size=2, max_size=8), data=st.data())
def test_the_remedy_works(members: list[int], data: st.DataObject) -> None:
    labels = torch.arange(len(members)).repeat_interleave(torch.tensor(members))
    count = data.draw(st.integers(1, len(labels) - 1))
    enough = max(-(-len(labels) // have) for have in members)
    assume(enough < len(labels))
    chosen, _ = stratified(labels, max(count, enough), "validation", "toy")
    assert len(labels[chosen].unique()) == len(members)


def test_the_split_is_part_of_the_definition(files: dict[str, str]) -> None:
    torch.manual_seed(1)
    first = parquet(**files)
    torch.manual_seed(2)
    again = parquet(**files)
    assert first.digest == again.digest
    assert not torch.equal(first.train.targets, first.train.targets.sort().values)


def test_train_examples_leaves_validation_and_test_as_they_are(files: dict[str, str]) -> None:
    full, few = parquet(**files, validation=8), parquet(**files, validation=8, train_examples=12)
    assert torch.equal(full.validation.images, few.validation.images)
    assert torch.equal(full.test.images, few.test.images)
    assert few.train.targets.bincount().tolist() == [3, 3, 3, 3]
    everything = {image.numpy().tobytes() for image in full.train.images}
    assert {image.numpy().tobytes() for image in few.train.images} < everything
    assert few.digest != full.digest


def test_all_of_the_training_examples_is_no_subset(files: dict[str, str]) -> None:
    assert parquet(**files, train_examples=36).digest == parquet(**files).digest


def test_digests_are_computed_once(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    from secateurs.zoo import data as data_module

    data = parquet(**files)
    digest = data.digest
    monkeypatch.setattr(data_module.hashlib, "sha256", None)
    assert data.digest == digest
