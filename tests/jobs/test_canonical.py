import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import JobError, Moment
from secateurs.jobs.canonical import canonical, plain

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(values)
def test_the_text_says_the_value_exactly(value):
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), leaves))
def test_the_order_of_keys_does_not_matter(value):
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(values, values)
def test_different_values_have_different_texts(a, b):
    if canonical(a) == canonical(b):
        assert repr(plain(a)) == repr(plain(b)) or a == b
    if a != b:
        assert canonical(a) != canonical(b)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"train": {"lr": math.inf}}, "config.train.lr: inf"),
        ({"a": [1, {"b": math.nan}]}, r"config\.a\[1\]\.b: nan"),
        ({"at": Moment(3, 2)}, "config.at: a Moment"),
        ({"sizes": {1: 2}}, "config.sizes: the key 1"),
        ({"set": {1}}, "config.set: a set"),
    ],
)
def test_what_json_cannot_say_is_refused_with_its_path(value, message):
    with pytest.raises(JobError, match=message):
        canonical(value, "config")


def test_non_finite_floats_become_null_on_request():
    assert plain({"loss": math.nan, "rows": (1.0, -math.inf)}, non_finite="null") == {"loss": None, "rows": [1.0, None]}


def test_the_copy_shares_nothing():
    value = {"a": [1]}
    copy = plain(value)
    value["a"].append(2)
    assert copy == {"a": [1]}


def test_one_and_one_point_zero_are_two_values():
    assert canonical(1) != canonical(1.0) != canonical(True)
