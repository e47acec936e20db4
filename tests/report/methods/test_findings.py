"""Means, paired differences, orders, ranks, ranges and areas: against numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.core import DataError
from secateurs.report import MethodRun, bootstrap_interval, find_methods
from secateurs.report.methods import ablations, cheapest, lowest_matching, mean_ranks, orders, ranges
from secateurs.report.methods.curves import at_each_density, at_each_moment, rate_drops
from secateurs.report.methods.masks import channel_shares, collapses, emptied, layer_sparsities, layers_of

from .conftest import BELOW, DENSE, facts, rates, result


def group_of(study):
    (findings,) = find_methods(study)
    (group,) = findings.groups
    return findings, group


def test_means_and_differences_are_paired_by_seed(make_methods) -> None:
    findings, group = group_of(make_methods())
    cell = group.cell("snip", 0.1)
    assert findings.dense.mean == pytest.approx(0.932)
    assert cell.test.mean == pytest.approx(0.902)
    assert (cell.difference.mean, cell.difference.sd) == pytest.approx((-0.03, 0.01))
    assert cell.interval == pytest.approx(bootstrap_interval(BELOW["snip"][0.1]))
    assert group.cell("snip", 0.3) is None
    assert group.densities == findings.densities == (0.5, 0.2, 0.1)


def test_a_dense_run_without_a_result_pairs_with_nothing(make_methods) -> None:
    study = make_methods()
    gone = [dataclasses.replace(study.dense[0], summary={"diverged": "2ep"}), *study.dense[1:]]
    findings, group = group_of(dataclasses.replace(study, dense=gone))
    cell = group.cell("snip", 0.2)
    assert (cell.test.n, cell.difference.n) == (3, 2)
    assert findings.diverged == ("dense, seed 0, after epoch 2",)


def test_orders_tell_apart_by_the_paired_interval(make_methods) -> None:
    findings, group = group_of(make_methods())
    half, fifth, tenth = orders(findings, group)
    assert half.methods == ("snip", "synflow", "random")
    assert half.apart == (True, True)
    assert fifth.methods == ("snip", "synflow", "random")
    assert fifth.ranks == (1.0, 2.0, 3.0)
    assert tenth.methods == ("snip", "synflow", "random")  # equal means stay in the study's order
    assert tenth.apart == (False, True)
    assert {name: rank.mean for name, rank in mean_ranks((half, fifth)).items()} == {
        **{"snip": 1.0, "synflow": 2.0},
        "random": 3.0,
    }


def test_an_order_is_over_common_seeds(make_methods) -> None:
    study = make_methods(changed={("snip", 0.2, 0): {}, ("random", 0.2, 2): {"diverged": "3ep"}})
    findings, group = group_of(study)
    order = orders(findings, group)[1]
    assert order.seeds == 1
    assert order.apart == (None, None)
    assert order.means[0] == pytest.approx(DENSE[1] - 0.002)
    lost = {("random", 0.1, seed): {} for seed in range(3)}
    findings, group = group_of(make_methods(changed=lost))
    assert orders(findings, group)[2].methods == ("snip", "synflow")
    assert orders(findings, group)[2].without == ("random",)


def test_matching_holds_at_every_lower_sparsity(make_methods) -> None:
    findings, group = group_of(make_methods())
    found = ranges(findings, group)
    assert found.by == {"random": 0.5, "snip": 0.2, "snip shuffled": 0.5, "synflow": 0.5}
    assert (found.trivial, found.matching, found.farthest) == (0.5, 0.2, ("snip",))
    hole = [dataclasses.replace(cell, test=None, difference=None) for cell in group.cells_of("snip")[:1]]
    assert lowest_matching([*hole, *group.cells_of("snip")[1:]]) is None


def test_a_density_at_which_a_run_diverged_is_not_matching(make_methods) -> None:
    findings, group = group_of(make_methods(changed={("snip", 0.2, 1): {"diverged": "3ep"}}))
    cell = group.cell("snip", 0.2)
    assert (cell.test.n, cell.diverged, cell.missing) == (2, (1,), ())
    assert ranges(findings, group).by["snip"] == 0.5
    assert findings.diverged == ("snip, 80 % sparsity, at initialisation, seed 1, after epoch 3",)


def test_what_is_missing_is_named_and_not_counted(make_methods) -> None:
    findings, group = group_of(make_methods(changed={("snip", 0.2, 1): {}}))
    cell = group.cell("snip", 0.2)
    assert (cell.test.n, cell.diverged, cell.missing) == (2, (), (1,))
    assert findings.missing == ("snip, 80 % sparsity, at initialisation, seed 1",)


def test_ablations_are_paired_with_their_plain_method(make_methods) -> None:
    findings, _ = group_of(make_methods())
    found = {each.density: each.paired for each in ablations(findings)}
    assert list(found) == [0.5, 0.2, 0.1]
    assert found[0.2].difference.mean == pytest.approx(-0.010)
    assert found[0.2].interval == pytest.approx((-0.012, -0.008))
    assert found[0.2].told_apart
    assert found[0.1].difference.mean == pytest.approx(0.010)
    assert (found[0.1].told_apart, found[0.5].told_apart) == (True, False)


def test_pinned_methods_stand_at_each_moment(make_methods) -> None:
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0}, pinned=["synflow"])
    kept = [run for run in study.runs if run.method != "synflow" or run.moment == "2ep"]
    kept = [dataclasses.replace(run, moment="10ep", epoch=10.0) if run.method == "synflow" else run for run in kept]
    (findings,) = find_methods(dataclasses.replace(study, runs=kept))
    first, second = findings.groups
    assert [group.moment for group in (first, second)] == ["0ep", "2ep"]
    assert first.named("synflow") == second.named("synflow") == "synflow (at epoch 10)"
    assert first.named("snip") == "snip"
    assert len(findings.all_cells) == 3 * 3 * 2 + 3
    alone = dataclasses.replace(study, runs=[run for run in kept if run.method == "synflow"])
    assert [group.moment for group in find_methods(alone)[0].groups] == ["10ep"]


def test_area_under_the_density_curve(make_methods) -> None:
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0})
    late = [dataclasses.replace(run, scored_epoch=10.0) if run.method == "synflow" else run for run in study.runs]
    (findings,) = find_methods(dataclasses.replace(study, runs=late))
    curves = {curve.method: curve for curve in cheapest(findings)}
    assert list(curves) == ["snip", "random", "snip shuffled", "synflow"]
    # within one point: snip at 0.2 (0.2 points below), the others at 0.5 only
    assert (curves["snip"].density, curves["snip"].moment, curves["snip"].area) == (0.2, "0ep", pytest.approx(2.0))
    assert curves["random"].area == pytest.approx(5.0)
    assert (curves["synflow"].area, curves["synflow"].whole) == pytest.approx((5.0, 15.0))
    assert curves["synflow"].retroactive
    assert not curves["snip"].retroactive
    unknown = [dataclasses.replace(run, epochs_after=None) for run in study.runs]
    assert cheapest(find_methods(dataclasses.replace(study, runs=unknown))[0]) == ()


def test_masks_are_those_that_were_laid_on(make_methods) -> None:
    findings, group = group_of(make_methods())
    assert layers_of(findings) == ("stem.weight", "block.weight", "a_head.weight")
    found = layer_sparsities(group.cell("snip", 0.2), layers_of(findings))
    assert [each.mean for each in found.sparsities] == pytest.approx([0.8, 0.9, 0.0])
    assert emptied(group.cell("snip", 0.2)).mean == pytest.approx(0.05)
    assert emptied(group.cell("snip shuffled", 0.2)).mean == pytest.approx(0.01)  # not the 0.05 before the shuffle
    assert channel_shares(group.cell("synflow", 0.2))[100].mean == pytest.approx(0.3)
    unfinished = MethodRun("net", "snip", 0.1, "0ep", 0.0, 0, ablated=True, mask=facts(0.1, 0.2))
    assert unfinished.facts == {}


def test_collapsed_layers_are_found(make_methods) -> None:
    study = make_methods()
    runs = [
        dataclasses.replace(run, mask=facts(0.1, 0.3, "block.weight"))
        if (run.method, run.density, run.seed) == ("synflow", 0.1, 2)
        else run
        for run in study.runs
    ]
    (each,) = collapses(find_methods(dataclasses.replace(study, runs=runs))[0])
    assert (each.cell.method, each.cell.density, each.layer, each.seeds) == ("synflow", 0.1, "block.weight", (2,))


def test_a_rate_that_falls_from_steady_is_a_drop(make_methods) -> None:
    study = make_methods()
    assert rate_drops(find_methods(study)[0]) == (4.0, 7.0)
    falling = [dataclasses.replace(run, log=rates(*(0.5**k for k in range(10)))) for run in study.dense]
    assert rate_drops(find_methods(dataclasses.replace(study, dense=falling))[0]) == ()


def test_curves_over_sparsity_or_over_moments(make_methods) -> None:
    several = find_methods(make_methods(moments={"0ep": 0.0, "2ep": 2.0}))[0]
    assert len(at_each_density(several)) == 2
    assert [density for density, _ in at_each_moment(several)] == [0.5, 0.2, 0.1]
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0})
    one = find_methods(dataclasses.replace(study, runs=[run for run in study.runs if run.density == 0.2]))[0]
    assert at_each_density(one) == ()
    assert [cell.epoch for cell in at_each_moment(one)[0][1]["snip"]] == [0.0, 2.0]
    assert at_each_moment(find_methods(make_methods())[0]) == ()


def test_a_study_that_does_not_fit_together_is_refused(make_methods) -> None:
    study = make_methods()
    with pytest.raises(DataError, match="is given 2 times"):
        dataclasses.replace(study, runs=[*study.runs, study.runs[0]])
    with pytest.raises(DataError, match="its dense run is missing"):
        dataclasses.replace(study, dense=study.dense[1:])
    with pytest.raises(DataError, match=r"unknown method 'snipp'.*did you mean 'snip'"):
        dataclasses.replace(study, base={"snip shuffled": "snipp"})
    assert dataclasses.replace(study, dense=[], trained=False).settings == ("net",)


def test_one_seed_has_no_interval(make_methods) -> None:
    findings, group = group_of(make_methods(seeds=1))
    assert group.cell("snip", 0.2).interval is None
    assert group.cell("snip", 0.2).test.sd is None
    assert {order.apart for order in orders(findings, group)} == {(None, None)}
    assert {each.paired.told_apart for each in ablations(findings)} == {None}


def test_two_seeds_tell_nothing_apart(make_methods) -> None:
    findings, group = group_of(make_methods(seeds=2))
    assert {order.apart for order in orders(findings, group)} == {(None, None)}
    assert {each.paired.told_apart for each in ablations(findings)} == {None}


def test_a_mask_of_a_diverged_dense_run_is_no_mask(make_methods) -> None:
    run = MethodRun("net", "snip", 0.1, "2ep", 2.0, 0, mask={"diverged": "1ep"})
    assert (run.broke, run.facts) == ("1ep", {})
    findings = find_methods(make_methods(dense=[], runs=[run], trained=False))[0]
    assert findings.diverged == ("snip, 90 % sparsity, at epoch 2, seed 0, after epoch 1",)
    assert result(0.5)["diverged"] is None
