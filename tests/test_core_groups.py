"""Groups and the choice of their units as values."""

from __future__ import annotations

import pytest
import torch

from secateurs.core import Group, Keep, Member, PruningError

ONE = Group("one", 3, (Member("one.weight", 0, ((0,), (1,), (2,)), "output"),))
TWO = Group("two", 2, (Member("two.weight", 0, ((0, 1), (2, 3)), "output"),))


def test_a_keep_is_a_mapping_that_nobody_changes() -> None:
    flags = torch.tensor([True, False, True])
    keep = Keep([ONE, TWO], {"one": flags})
    flags[:] = False
    keep["one"][:] = False
    assert {name: kept.tolist() for name, kept in keep.items()} == {"one": [True, False, True], "two": [True, True]}
    assert keep.groups == (ONE, TWO)
    assert keep.removed == 1
    assert repr(keep) == "Keep(one: 2 of 3, two: 2 of 2)"


def test_equal_choices_are_equal() -> None:
    one, other = (Keep([ONE, TWO], {"two": torch.tensor([True, False])}) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Keep([ONE, TWO], {})
    assert one != Keep([TWO], {"two": torch.tensor([True, False])})
    assert one != 3


@pytest.mark.parametrize(
    ("groups", "kept", "match"),
    [
        ([ONE], {"on": torch.ones(3, dtype=torch.bool)}, "no group 'on'.*did you mean 'one'"),
        ([ONE], {"one": torch.ones(2, dtype=torch.bool)}, r"'one' needs bools of shape \[3\], got torch.bool"),
        ([ONE], {"one": torch.ones(3)}, r"got torch.float32 of shape \[3\]"),
        ([ONE, ONE], {}, "two groups have one name"),
    ],
)
def test_what_does_not_fit_is_refused(groups: list[Group], kept: dict[str, torch.Tensor], match: str) -> None:
    with pytest.raises(PruningError, match=match):
        Keep(groups, kept)
