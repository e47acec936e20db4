"""A replay decides what the live run decided, whenever the live run was interrupted."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secateurs.core import Log, Moment, SignalError, Trigger
from secateurs.when.replay import replay
from secateurs.when.triggers import At, Below, Peak, Settled, all_of, any_of, no_earlier_than, no_later_than

SIGNALS = ("fisher_trace", "kl_uniform")
MOMENTS = st.integers(0, 80).map(lambda steps: f"{steps}it")
SIMPLE = st.one_of(
    st.builds(
        Peak,
        st.sampled_from(SIGNALS),
        st.integers(1, 3),
        st.sampled_from([0.0, 0.02, 0.3]),
        st.integers(1, 3),
        st.integers(0, 2),
    ),
    st.builds(Below, st.sampled_from(SIGNALS), st.floats(-5, 5), st.integers(1, 3), st.integers(0, 2)),
    st.builds(
        Settled,
        st.sampled_from(SIGNALS),
        st.sampled_from([0.0, 0.3, 1.5]),
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(0, 2),
    ),
    st.builds(At, MOMENTS),
)
TRIGGERS: st.SearchStrategy[Trigger] = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds(no_later_than, inner, MOMENTS),
        st.builds(no_earlier_than, inner, MOMENTS),
        st.builds(any_of, inner, inner),
        st.builds(all_of, inner, inner),
    ),
    max_leaves=4,
)
VALUES = st.dictionaries(st.sampled_from(SIGNALS), st.floats(-9, 9) | st.just(math.nan), max_size=2)
COMPLETE = st.fixed_dictionaries(dict.fromkeys(SIGNALS, st.floats(-9, 9)))
LOGS = st.builds(
    lambda start, rest: [(Moment(7 * i, 10), values) for i, values in enumerate([start, *rest])],
    COMPLETE,
    st.lists(VALUES, max_size=12),
)


def live(trigger: Trigger, log: Log, interrupted: frozenset[int]) -> Moment | None:
    state = trigger.init()
    for i, (moment, values) in enumerate(log):
        if i in interrupted:
            state = json.loads(json.dumps(state))
        state, fired = trigger.update(state, moment, values)
        if fired:
            return moment
    return None


@given(TRIGGERS, LOGS, st.frozensets(st.integers(0, 12)))
def test_replay_is_the_live_run(trigger: Trigger, log: Log, interrupted: frozenset[int]) -> None:
    decision = replay(trigger, log)
    assert decision == live(trigger, log, frozenset())
    assert decision == live(trigger, log, interrupted)


@given(TRIGGERS, LOGS, st.integers(0, 12))
def test_what_comes_after_the_decision_does_not_change_it(trigger: Trigger, log: Log, cut: int) -> None:
    decision = replay(trigger, log)
    if decision is not None:
        upto = [row for row in log if row[0] <= decision]
        assert replay(trigger, upto) == decision


def test_a_signal_that_was_never_measured_is_no_never() -> None:
    log = [(Moment(i, 1), {"fisher_trace": 1.0, "loss": 2.0}) for i in range(5)]
    with pytest.raises(SignalError, match=r"Peak.*'fisher_trac'.*did you mean 'fisher_trace'"):
        replay(Peak("fisher_trac"), log)
    with pytest.raises(SignalError, match="'kl_uniform'"):
        replay(all_of(Peak("loss"), Peak("kl_uniform")), log)
    assert replay(no_later_than(Peak("kl_uniform"), "3ep"), log) == Moment(3, 1)
    assert replay(Peak("loss"), log) is None
    assert replay(Peak("loss"), [(Moment(0, 1), {"loss": math.nan})]) is None


def test_an_empty_log() -> None:
    assert replay(At("0ep"), []) is None
    with pytest.raises(SignalError, match="choices: none"):
        replay(Peak("loss"), [])


def test_a_log_out_of_order_is_refused() -> None:
    with pytest.raises(SignalError, match="1ep stands after 2ep"):
        replay(At("0ep"), [(Moment(2, 1), {}), (Moment(1, 1), {})])
