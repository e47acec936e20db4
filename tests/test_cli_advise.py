"""``secateurs advise``, end to end on tiny networks, as a user runs it."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from secateurs.cli import main
from secateurs.core import RecipeError, Spec, TrainingError
from secateurs.core.regimes import regime
from secateurs.jobs import Serial, Store, run
from secateurs.studies import Regimes, Sweep, load_recipe
from secateurs.studies.advice import recipe as advice_recipe
from secateurs.studies.advice.checkpoints import given_in
from secateurs.studies.advice.recipe import Question
from secateurs.studies.advice.sources import advice_on_study
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.runs import load_data
from secateurs.studies.schema.advice import Advice
from secateurs.zoo import build_model
from small_regimes import regimes

RECIPE = """
study: early_periods
common:
  title: a tiny network
  model: {name: lenet_300_100, hidden: [16, 8]}
  data: {name: digits, train_examples: 60}
  train: {epochs: 4, batch_size: 30, lr: 0.1, schedule: constant}
  prune: {density: 0.1, scope: global}
  moments: [0]
  seeds: [3, 4]
  signals: [loss]
  triggers: {}
  checkpoint_every: 2
scales: {only: {}}
"""
DRAWS = 20
NETWORK = ("model=lenet_300_100", "model.hidden=[16,8]", "data=digits", "data.train_examples=60", "train.epochs=4")


def said(*arguments: str | Path, status: int = 0) -> str:
    """What a command says, in one line."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(told):
        patch.setattr(sys, "argv", ["secateurs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == status, told.getvalue()
    return " ".join(told.getvalue().replace("\N{NO-BREAK SPACE}", " ").split())


def numbers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "advice.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module", autouse=True)
def _few_draws() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advice_recipe, "RESAMPLES", DRAWS)
        yield


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "tiny.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def asked(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("advice") / "out"
    told = said("advise", recipe, "--density", "0.5", "--at", "2", "--at", "4", "--epochs", "1", "--out", out)
    return out, told


def dense(folder: Path, name: str, hidden: tuple[int, ...] = (16, 8), **change: float) -> Path:
    """A checkpoint of an untrained network."""
    folder.mkdir(exist_ok=True)
    network = build_model(Spec("lenet_300_100", {"hidden": hidden}), (1, 8, 8), 10, seed=0)
    state = network.state_dict()
    for key, value in change.items():
        state[f"{key}.weight" if key.isdecimal() else key] = torch.full_like(state["1.weight"], value)
    save_file(state, folder / name)
    return folder / name


def test_a_recipe_of_another_kind_is_advised_on(asked: tuple[Path, str]) -> None:
    out, told = asked
    found = numbers(out)
    assert [each["name"] for each in found["networks"]] == ["epoch 4", "epoch 2"]
    assert [each["trained"]["stopped"] for each in found["networks"]] == [4.0, 2.0]
    for each in found["networks"]:
        (cell,) = each["cells"]
        (pair,) = cell["pairs"]
        assert cell["seed"] == 3
        assert set(cell["mask"]["layer_densities"].values()) == {0.5}
        assert len(pair["errors"]) == 11
        assert pair["lmc"] == each["lmc"]
        assert pair["passes"] == {"recalibration": 0, "evaluation": 11, "outputs": 2}
        assert len(pair["resampled"]["lmc"]) == len(pair["resampled"]["cka"]) == each["draws"] == DRAWS
        assert each["regime"] in (None, regime(each["lmc"], each["cka"]))
        assert f"{each['lmc']:.3f}".replace("-", "\N{MINUS SIGN}") in told or abs(each["lmc"]) < 0.0005
    assert found["costs"]["dense_epochs"] == 4
    assert found["costs"]["copies_epochs"] == 4
    assert "It cost 4 epochs of dense training" in told
    assert found["provenance"]["command"].startswith("secateurs advise")


def test_a_finished_advice_is_written_again_and_not_run_again(asked: tuple[Path, str], recipe: Path) -> None:
    out, _ = asked
    page = (out / "report.html").read_bytes()
    told = said("report", out)
    assert (out / "report.html").read_bytes() == page
    assert "What it cost" in told
    again = said(
        "advise", recipe, "--density", "0.5", "--at", "2", "--at", "4", "--epochs", "1", "--out", out, "--dry-run"
    )
    assert "11 jobs" in again
    assert "11 of 11 jobs done" in said("status", out)
    assert "another" in said("advise", recipe, "--density", "0.4", "--epochs", "1", "--out", out, status=2)


def test_a_study_that_was_run_lends_its_dense_networks(asked: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = asked
    there = tmp_path / "there"
    told = said("advise", out, "--density", "0.25", "--at", "2", "--epochs", "1", "--out", there)
    assert "The dense networks were there." in told
    found = numbers(there)
    (network,) = found["networks"]
    assert network["name"] == "epoch 2"
    names = {entry.spec["name"] for entry in Store(there / "store").entries()}
    assert names == {"given_state", "ticket_mask", "regime_run", "regime_pair"}
    here = next(each for each in numbers(out)["networks"] if each["name"] == "epoch 2")
    assert network["dense_validation_error"] == here["dense_validation_error"]
    assert "has no checkpoint of epoch 3, but of 2, 4" in " ".join(
        said("advise", out, "--density", "0.25", "--at", "3", status=2).split()
    )
    assert "model is what its study has" in said("advise", out, "--density", "0.2", "model.hidden=[4]", status=2)


def test_checkpoints_are_rows_and_pickles_are_left_out(tmp_path: Path, asked: tuple[Path, str]) -> None:
    nets, out = tmp_path / "nets", tmp_path / "out"
    dense(nets, "net-10.safetensors")
    store = Store(asked[0] / "store")
    (run,) = [entry for entry in store.entries() if entry.spec["name"] == "dense_run"]
    shutil.copy(run.path / "4ep.safetensors", nets / "net-9.safetensors")
    (nets / "optimizer.pt").touch()
    told = said("advise", nets, "--density", "0.5", "--epochs", "1", *NETWORK, "--out", out)
    assert "Left out: optimizer.pt, a pickle." in told
    found = numbers(out)
    assert [each["name"] for each in found["networks"]] == ["net-9.safetensors", "net-10.safetensors"]
    assert found["source"] == "files"
    trained = next(each for each in numbers(asked[0])["networks"] if each["name"] == "epoch 4")
    assert found["networks"][0]["dense_validation_error"] == trained["dense_validation_error"]
    assert found["selection"]["first"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--density", "1.5"), "--density: 1.5 lies outside (0, 1]"),
        (("--density", "0.5", "--at", "0"), "--at: 0 is before any training"),
        (("--density", "0.5", "--at", "9"), "at: 9 lies outside the run of 4 epochs"),
        (("--density", "0.5", "--epochs", "9"), "--epochs: 9 lies outside the run of 4 epochs of retraining"),
        (("--density", "0.5", "--epochs", "soon"), "is not understood"),
        (
            ("--density", "0.005"),
            "density: 0.005 leaves no weight in 5 (of 80): ask for at least 0.0063, leave what is empty alone",
        ),
        (("--density", "0.5", "moments=[1]"), "moments: is not open to overrides"),
        (("--density", "0.5", "prune.exclude=[nope]"), "prune.exclude: the model has no module or parameter 'nope'"),
        (
            ("--density", "0.5", "retrain.epochs=4"),
            "retrain: batch_size 128 is larger than the 60 training examples: set retrain.",
        ),
        (("--density", "0.5", "--setting", "x"), "it has no settings"),
        (("--density", "0.5", "--recipe", "demo"), "leave --recipe out"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(
    recipe: Path, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    told = said("advise", recipe, *arguments, "--out", tmp_path / "out", status=2)
    assert says in told
    assert not (tmp_path / "out").exists()


def test_copies_that_diverged_and_an_empty_layer_are_results(recipe: Path, tmp_path: Path) -> None:
    wild = ("retrain.epochs=2", "retrain.batch_size=30", "retrain.lr=1.0e+30", "train.epochs=1", "--epochs", "1")
    told = said("advise", recipe, "--density", "0.5", *wild, "--out", tmp_path / "wild")
    assert "No regime at a density of 50 %: too few copies came through retraining" in told
    assert "2 copies diverged" in told
    (network,) = numbers(tmp_path / "wild")["networks"]
    assert (network["lmc"], network["cka"], network["regime"], network["copies_diverged"]) == (None, None, None, 2)
    thin = ("prune.scope=global", "train.epochs=1", "--epochs", "1")
    told = said("advise", recipe, "--density", "0.001", *thin, "--out", tmp_path / "thin")
    assert "No weight is left in" in told
    assert "nan" not in told.lower().split()


def test_a_recipe_without_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.yaml"
    path.write_text("common: {model: lenet_300_100, train: {epochs: 1}}\nscales: {only: {}}\n", encoding="utf-8")
    assert "says no data: add it: data=..." in said("advise", path, "--density", "0.5", status=2)


def test_checkpoints_that_do_not_do_are_refused(tmp_path: Path) -> None:
    def refused(folder: Path, *more: str) -> str:
        return said("advise", folder, "--density", "0.5", *(more or NETWORK), "--out", tmp_path / "out", status=2)

    empty, pickles = tmp_path / "empty", tmp_path / "pickles"
    for folder in (empty, pickles):
        folder.mkdir()
    (pickles / "net.pth").touch()
    assert "there is no study and no checkpoint (*.safetensors)" in refused(empty)
    assert "torch.load('net.pth', weights_only=True), 'net.safetensors')" in refused(pickles)
    mixed = tmp_path / "mixed"
    dense(mixed, "a.safetensors")
    dense(mixed, "b.safetensors", hidden=(32, 8))
    assert "'1.weight' is 32 x 64, in lenet_300_100 16 x 64" in refused(mixed)
    assert "of which network are these checkpoints" in refused(mixed, "data=digits")
    broken = tmp_path / "broken"
    dense(broken, "a.safetensors", **{"1": float("nan")})
    assert "'1.weight' is not finite" in refused(broken)
    pruned = tmp_path / "pruned"
    dense(pruned, "a.safetensors", **{"1": 0.0})
    assert "was pruned already" in refused(pruned)
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "a.safetensors").write_bytes(b"\x01")
    assert "cannot be read as safetensors" in refused(torn)
    assert not (tmp_path / "out").exists()


def checked(folder: Path, tensors: dict[str, torch.Tensor]) -> str:
    """The prefix that is found in a checkpoint of these tensors."""
    folder.mkdir(exist_ok=True)
    save_file({name: value.clone() for name, value in tensors.items()}, folder / "net.safetensors")
    data = load_data(Spec("digits", {"train_examples": 60}))
    return given_in(folder / "net.safetensors", Spec("lenet_300_100", {"hidden": (16, 8)}), data, 0).prefix


def test_checkpoints_may_have_prefixes_and_floats_of_any_usual_size(tmp_path: Path) -> None:
    own = load_file(dense(tmp_path / "own", "a.safetensors"))

    def under(prefix: str) -> dict[str, torch.Tensor]:
        return {f"{prefix}{name}": value for name, value in own.items()}

    for prefix in ("", "module.", "state/model."):
        assert checked(tmp_path / "nets", under(prefix)) == prefix
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert checked(tmp_path / "nets", {name: value.to(dtype) for name, value in own.items()}) == ""
    with pytest.raises(
        TrainingError, match=r"'1.weight' is of int8: write it as float32, float16, bfloat16 or float64"
    ):
        checked(tmp_path / "nets", {**own, "1.weight": own["1.weight"].to(torch.int8)})
    with pytest.raises(TrainingError, match=r"holds lenet_300_100 2 times \(1.weight, ema.1.weight\)"):
        checked(tmp_path / "nets", own | under("ema."))
    part = {name: value for name, value in under("net.").items() if name != "net.3.bias"}
    with pytest.raises(TrainingError, match=r"has no 'net.3.bias', which lenet_300_100 has; near it: 'net.") as raised:
        checked(tmp_path / "nets", part)
    assert "choices" not in str(raised.value)


def test_two_folders_of_one_name_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        dense(tmp_path / place / "nets", f"{place}.safetensors")
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    said("advise", "one/nets", "--density", "0.5", "--epochs", "1", *NETWORK, "--out", out)
    told = said("advise", "two/nets", "--density", "0.5", "--epochs", "1", *NETWORK, "--out", out, status=2)
    assert "advise nets-" in told
    assert "holds a study of other settings" in told
    assert set(numbers(out)["networks"][0]["trained"].values()) == {None}
    assert "trains no dense network" in said("advise", out, "--density", "0.5", status=2)


def test_a_recipe_of_regimes_is_asked_which_network_is_meant() -> None:
    def of(name: str, scale: str, *overrides: str) -> Advice:
        return advice_recipe.advice_on_recipe(name, scale, Question(0.2, overrides=overrides))

    with pytest.raises(RecipeError, match=r"varies batch_size: say which network is meant, with train.batch_size=..."):
        of("p4/fig7", "smoke", "train.batch_size=20")
    meant = of("p4/fig7", "smoke", "train.batch_size=20", "train.epochs=2")
    study = load_recipe("p4/fig7", "smoke")
    assert isinstance(study, Regimes)
    assert meant.regimes.retraining == study.retraining
    assert (meant.train.drop_last, meant.compare.points) == (True, study.compare.points)
    with pytest.raises(RecipeError, match=r"varies rho: .* train.sam=..., or run"):
        of("p4/fig6", "smoke")
    assert of("p4/fig6", "smoke", "train.sam.rho=0.1").regimes.retraining.sam is None
    assert of("p4/fig6", "smoke", "train.sam=null").train.sam is None


def test_a_study_of_regimes_is_advised_on_as_it_retrains(tmp_path: Path) -> None:
    """Also at a moment that is no checkpoint: the study kept the state that it pruned there."""
    recipe = regimes(
        temperature={"values": [1, 2]}, load={"values": [0.5]}, compare={"ends": False, "probe": "1it"}, probe_only=True
    )
    folder = StudyFolder.create(tmp_path / "study", Ordered(recipe, "tiny", "cpu", "secateurs run tiny"))
    run(Sweep(recipe).graph(), folder.store, Serial()).raise_for_failures()
    advice, left = advice_on_study(tmp_path / "study", Question(0.5, at=(1, 2)))
    assert not left
    assert (advice.regimes.retraining, advice.train) == (recipe.retraining, recipe.train)
    assert (advice.compare.points, advice.compare.samples) == (3, 64)
    assert {name: given[0].train for name, given in advice.networks.items()} == {
        "epoch 1": recipe.train,
        "epoch 2": recipe.train,
    }
    assert advice.networks["epoch 1"][0].file.endswith("state.safetensors")


def test_another_folder_is_not_written_into(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    assert "holds 'mine.txt'" in said("advise", recipe, "--density", "0.5", "--out", tmp_path, status=2)
