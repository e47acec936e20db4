"""Data: the order of an epoch, batches, balanced draws, digests; and the digits as they are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Batch, DataError
from secateurs.zoo import AUGMENTATIONS, DATASETS, Classification, Dataset, ImageSet, digits
from toys import CLASSES, generator, images, surroundings, toy_data


def numbered(n: int) -> ImageSet:
    """Images that bear their own number: a 1 x 2 x 2 picture of the number, and the class 0 .. 2 in turn."""
    pixels = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 2, 2).clone()
    return ImageSet(pixels, torch.arange(n) % CLASSES, torch.zeros(1), torch.ones(1))


def numbers(batch: Batch) -> list[int]:
    return batch.inputs[:, 0, 0, 0].int().tolist()


@given(st.integers(1, 60), st.integers(1, 20), st.integers(0, 5), st.integers(0, 5))
def test_an_epoch_is_every_example_once(n: int, size: int, epoch: int, seed: int) -> None:
    data = numbered(n)
    batches = [*data.epoch(epoch, size, seed)]
    shown = [number for batch in batches for number in numbers(batch)]
    assert sorted(shown) == list(range(n))
    assert [len(batch.targets) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    for batch in batches:
        assert batch.targets.tolist() == [number % CLASSES for number in numbers(batch)]
    if size <= n:
        assert len(batches) == data.steps_per_epoch(size)


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    data = numbered(40)
    orders = {
        (seed, epoch): tuple(number for batch in data.epoch(epoch, 7, seed) for number in numbers(batch))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) == 9
    assert list(orders[0, 0]) != list(range(40))
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(99)
        again = tuple(number for batch in data.epoch(2, 13, 1) for number in numbers(batch))
    assert again == orders[1, 2]  # neither the global state nor the batch size has a say


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_first_step_leaves_out_and_changes_nothing_else(augment: str) -> None:
    data = images(29, seed=4)
    around = surroundings()
    whole = [*data.epoch(3, 4, 5, augment)]  # type: ignore[arg-type]
    assert surroundings() == around
    for first in range(len(whole) + 2):
        rest = [*data.epoch(3, 4, 5, augment, first_step=first)]  # type: ignore[arg-type]
        assert len(rest) == max(0, len(whole) - first)
        for a, b in zip(rest, whole[first:], strict=True):
            assert torch.equal(a.inputs, b.inputs)
            assert torch.equal(a.targets, b.targets)


def test_augmentation_differs_from_epoch_to_epoch_and_leaves_targets_alone() -> None:
    flat = ImageSet(torch.arange(36, dtype=torch.uint8).reshape(1, 1, 6, 6).expand(9, 1, 6, 6).clone(),
                    torch.zeros(9, dtype=torch.int64), torch.zeros(1), torch.ones(1))  # fmt: skip
    shown = {(epoch, seed): next(flat.epoch(epoch, 9, seed, "shift")).inputs for epoch in (0, 1) for seed in (0, 1)}
    keys = list(shown)
    assert not any(torch.equal(shown[a], shown[b]) for a in keys for b in keys if a < b)
    plain = next(flat.epoch(0, 9, 0)).inputs
    assert torch.equal(plain, flat.images.float())


def test_inputs_are_normalised_channel_by_channel() -> None:
    pixels = torch.tensor([[[[10]], [[200]]], [[[30]], [[100]]]], dtype=torch.uint8)
    data = ImageSet(pixels, torch.tensor([0, 1]), torch.tensor([20.0, 150.0]), torch.tensor([10.0, 50.0]))
    expected = torch.tensor([[[[-1.0]], [[1.0]]], [[[1.0]], [[-1.0]]]])
    assert torch.equal(next(data.batches(2)).inputs, expected)
    assert torch.equal(data.batch(torch.tensor([1, 0])).inputs, expected.flip(0))
    assert torch.equal(next(data.epoch(0, 2, 0)).inputs.sort(0).values, expected.sort(0).values)
    assert next(data.batches(2)).inputs.dtype == torch.float32


@pytest.mark.parametrize(
    ("limit", "sizes"), [(None, [4, 4, 2]), (10, [4, 4, 2]), (99, [4, 4, 2]), (5, [4, 1]), (4, [4]), (0, [])]
)
def test_batches_in_their_own_order(limit: int | None, sizes: list[int]) -> None:
    batches = [*numbered(10).batches(4, limit)]
    assert [len(batch.targets) for batch in batches] == sizes
    assert [number for batch in batches for number in numbers(batch)] == list(range(sum(sizes)))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    message = "batch_size 11 is larger than the 10 training examples: set train.batch_size to at most 10"
    with pytest.raises(DataError, match=re.escape(message)):
        numbered(10).steps_per_epoch(11)
    assert [numbered(10).steps_per_epoch(size) for size in (1, 3, 5, 9, 10)] == [10, 4, 2, 2, 1]


@pytest.mark.parametrize("per_class", [1, 2, 5])
def test_balanced_draws_so_many_of_each_class(per_class: int) -> None:
    data, around = numbered(17), surroundings()
    (batch,) = data.balanced(per_class, generator(1))
    assert torch.bincount(batch.targets).tolist() == [per_class] * CLASSES
    assert len(set(numbers(batch))) == per_class * CLASSES
    assert [number % CLASSES for number in numbers(batch)] == batch.targets.tolist()
    (again,) = data.balanced(per_class, generator(1))
    assert torch.equal(again.inputs, batch.inputs)
    assert surroundings() == around


def test_every_example_can_be_drawn() -> None:
    data = numbered(12)
    drawn = {number for seed in range(40) for batch in data.balanced(1, generator(seed)) for number in numbers(batch)}
    assert drawn == set(range(12))


def test_too_few_of_a_class_is_refused_by_name() -> None:
    data = numbered(14)  # 5, 5 and 4
    message = "class 2 has 4 training examples, 5 per class are asked for: set prune.examples_per_class to at most 4"
    with pytest.raises(DataError, match=re.escape(message)):
        next(data.balanced(5, generator()))


def test_the_probe_is_fixed_and_follows_from_its_seed() -> None:
    data = numbered(30)
    shown = [numbers(next(data.probe(10, seed).batches(10))) for seed in (0, 0, 1)]
    assert shown[0] == shown[1] != shown[2]
    assert len(set(shown[0])) == 10
    assert shown[0] != sorted(shown[0])
    assert numbers(next(data.probe(20, 0).batches(10))) == shown[0]  # a larger probe begins with the smaller one
    assert len(data.probe(99, 0)) == 30


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([0, 2, 0], "toy, train split: no example of class 1 among 3: use more examples or a stratified split"),
        ([1, 1], "toy, train split: no example of class 0, 2 among 2"),
        ([0, 1, 2, 3], "toy, train split: label 3 lies outside 0..2"),
        ([0, 1, 2, -1], "toy, train split: label -1 lies outside 0..2"),
        ([], "toy, train split: is empty"),
    ],
)
def test_data_with_wrong_labels_are_refused(targets: list[int], message: str) -> None:
    good = numbered(6)
    bad = replace(numbered(len(targets)), targets=torch.tensor(targets, dtype=torch.int64))
    for part in ("train", "validation", "test"):
        parts = {"train": good, "validation": good, "test": good} | {part: bad}
        with pytest.raises(DataError, match=re.escape(message.replace("train split", f"{part} split"))):
            Dataset("toy", "toy", Classification(CLASSES), CLASSES, **parts)


def test_the_digest_knows_every_bit_of_every_part() -> None:
    data = toy_data()
    digests = {data.digest, toy_data(51).digest, replace(data, name="other").digest}
    for part in ("train", "validation", "test"):
        whole = getattr(data, part)
        pixels, targets = whole.images.clone(), whole.targets.clone()
        pixels[3, 0, 1, 2] ^= 1
        targets[3] = (targets[3] + 1) % CLASSES
        for change in ({"images": pixels}, {"targets": targets}, {"mean": whole.mean + 1}, {"std": whole.std + 1}):
            digests.add(replace(data, **{part: replace(whole, **change)}).digest)
    assert len(digests) == 3 + 3 * 4
    assert toy_data().digest == data.digest
    assert replace(data, title="Other words").digest == data.digest
    swapped = replace(data, validation=data.test, test=data.validation)
    assert swapped.digest != data.digest
    assert data.to("cpu").digest == data.digest


def test_the_digits_are_split_once_and_for_all() -> None:
    data = digits()
    parts = (data.train, data.validation, data.test)
    assert [len(part) for part in parts] == [1077, 360, 360]
    assert data.input_shape == (1, 8, 8)
    assert (data.name, data.num_classes) == ("digits", 10)
    for part in parts:
        assert int(part.images.max()) <= 16
        counts = torch.bincount(part.targets, minlength=10)
        assert int(counts.max() - counts.min()) <= len(part) * 0.02  # stratified
    assert data.digest == digits().digest
    seen = data.train.images.float()
    for part in parts:  # validation and test are normalised by what the training images say
        assert part.mean.item() == pytest.approx(seen.mean().item())
        assert part.std.item() == pytest.approx(seen.std().item())


def test_no_image_is_in_two_splits() -> None:
    from sklearn.datasets import load_digits

    data = digits()
    shown = [image.numpy().tobytes() for part in (data.train, data.validation, data.test) for image in part.images]
    whole = [image.astype("uint8").tobytes() for image in load_digits().images]
    assert sorted(shown) == sorted(whole)


def test_options_of_the_digits() -> None:
    whole, few, large = digits(), digits(train_examples=300), digits(enlarge=4)
    assert torch.equal(few.train.images, whole.train.images[:300])
    assert torch.equal(few.test.images, whole.test.images)
    assert few.digest != whole.digest != large.digest
    assert large.input_shape == (1, 32, 32)
    assert torch.equal(large.train.images[:, :, ::4, ::4], whole.train.images)
    assert torch.equal(large.train.images[:, :, 3::4, 2::4], whole.train.images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_examples": 0}, "digits: train_examples must lie in 1..1077, got 0"),
        ({"train_examples": 1078}, "digits: train_examples must lie in 1..1077, got 1078"),
        ({"enlarge": 0}, "digits: enlarge must be at least 1, got 0"),
        ({"train_examples": 3}, "digits, train split: no example of class "),
    ],
)
def test_digits_that_cannot_be(options: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        digits(**options)


def test_the_table_of_data_sets_is_of_functions_with_keywords() -> None:
    import inspect

    assert DATASETS["digits"] is digits
    for name, load in DATASETS.items():
        parameters = inspect.signature(load).parameters.values()
        assert all(p.kind is p.KEYWORD_ONLY for p in parameters), name
        assert load.__doc__
