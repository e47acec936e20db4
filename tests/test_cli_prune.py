"""``secateurs prune``, end to end at smoke scale, as a user runs it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from secateurs.cli import main
from secateurs.core import Spec
from secateurs.export import load_network
from secateurs.how import Mask
from secateurs.studies import load_recipe
from secateurs.studies.runs import load_data
from secateurs.when import describe, trigger_of
from secateurs.zoo import build_model

LENET = ("prune", "p0/digits_lenet", "--scale", "smoke", "triggers.low loss.threshold=2.5")


def command(*arguments: str | Path, status: int = 0) -> str:
    """What a command says, its words one space apart."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
        patch.setattr(sys, "argv", ["secateurs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == status, said.getvalue()
    return " ".join(said.getvalue().replace("\N{NO-BREAK SPACE}", " ").split())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def numbers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("pruned") / "out"
    return out, command(*LENET, "--trigger", "low loss", "--out", out)


def test_it_says_when_why_what_is_left_and_what_it_came_to(pruned: tuple[Path, str]) -> None:
    out, told = pruned
    found = numbers(out)
    assert f"Pruned at epoch {found['pruned'].removesuffix('ep')} of 3 by trigger 'low loss': loss is" in told
    assert ", below 2.5" in told
    assert "▲ pruned, epoch" in told
    kept = sum(layer["kept"] for layer in found["layers"])
    assert [layer["weights"] for layer in found["layers"]] == [64 * 16, 16 * 8, 8 * 10]
    assert f"{kept} of 1,232 prunable weights are left" in told
    assert f"test {100 * found['summary']['test_accuracy']:.2f} %" in told
    assert "Masks alone save no training time" in told
    assert "Watching loss took" in told
    assert f"model.load_state_dict(safetensors.torch.load_file('{out / 'pruned.safetensors'}'))" in told
    assert {path.name for path in out.iterdir()} == {
        "store",
        "pruned.safetensors",
        "mask.safetensors",
        "result.json",
        "signal.png",
    }
    assert (out / "signal.png").read_bytes().startswith(b"\x89PNG")
    assert found["provenance"]["command"].startswith("secateurs prune p0/digits_lenet")


def test_channels_leave_a_small_network_that_builds_itself(tmp_path: Path) -> None:
    out = tmp_path / "small"
    changes = ("prune.how=channels", "prune.density=0.3")
    told = command("prune", "demo", "--scale", "smoke", *changes, "--trigger", "at moment=1ep", "--out", out)
    found = numbers(out)
    kept, whole = (sum(each[what] for each in found["channels"]) for what in ("kept", "units"))
    assert "channels of channels kept share" in told
    assert f"{kept} of {whole} channels" in told
    weights_left = sum(layer["kept"] for layer in found["layers"]) / sum(layer["weights"] for layer in found["layers"])
    assert f"Asked: at most 30.0 % of the weights; left: {100 * weights_left:.1f} %" in told
    assert f"model = secateurs.export.load_network('{out / 'pruned.safetensors'}')" in told
    assert "Masks alone" not in told
    assert {path.name for path in out.iterdir()} == {"store", "pruned.safetensors", "result.json", "signal.png"}
    network = load_network(out / "pruned.safetensors")
    weights = load_file(out / "pruned.safetensors")
    assert weights.keys() == network.state_dict().keys()
    assert sum(p.numel() * p.element_size() for p in network.parameters()) == found["saved"]["bytes"]
    data = load_data(Spec("digits", {"train_examples": 1077, "enlarge": 1})).test
    batch = data.batch(torch.arange(len(data)))
    right = (network(batch.inputs).argmax(1) == batch.targets).double().mean().item()
    assert right == pytest.approx(found["summary"]["test_accuracy"])


PLAIN = """
import sys
sys.modules["secateurs"] = None  # importing it is an error
import torch
from safetensors.torch import load_file
from torch import nn
net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 10))
weights = load_file(sys.argv[1])
net.load_state_dict(weights)
told = load_file(sys.argv[2])
assert torch.equal(net(told["inputs"]), told["outputs"])
assert sum(int((w == 0).sum()) for name, w in weights.items() if name.endswith("weight")) == int(told["zeros"])
try:
    import secateurs
except ImportError:
    print("without secateurs")
"""


def test_the_network_loads_without_secateurs(pruned: tuple[Path, str], tmp_path: Path) -> None:
    out, _ = pruned
    recipe = load_recipe("p0/digits_lenet", "smoke")
    data = load_data(recipe.data)
    network = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), data.input_shape, data.num_classes, seed=0)
    network.load_state_dict(load_file(out / "pruned.safetensors"))
    mask = Mask.load(out / "mask.safetensors")
    assert mask.kept == sum(layer["kept"] for layer in numbers(out)["layers"])
    for name, kept in mask.items():
        assert not network.get_parameter(name).detach()[~kept].any()
    batch = next(data.test.batches(360))
    with torch.no_grad():
        outputs = network.eval()(batch.inputs)
    accuracy = float((outputs.argmax(1) == batch.targets).double().mean())
    assert accuracy == pytest.approx(numbers(out)["summary"]["test_accuracy"])
    zeros = torch.tensor(mask.total - mask.kept)
    save_file({"inputs": batch.inputs.contiguous(), "outputs": outputs, "zeros": zeros}, tmp_path / "told.safetensors")
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, str(out / "pruned.safetensors"), str(tmp_path / "told.safetensors")],
        capture_output=True,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1"},
    )
    assert plain.stdout == "without secateurs\n", plain.stderr


def test_again_it_trains_nothing_and_writes_the_same(pruned: tuple[Path, str]) -> None:
    out, told = pruned
    before = contents(out)
    again = command(*LENET, "--trigger", "low loss", "--out", out)
    assert again.startswith("1 job done before, not run again ")
    assert again.partition("not run again ")[2] == told.partition(" s ")[2]
    after = contents(out)
    assert after == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("prune", "p2/fig5_4", "--scale", "smoke"), "recipe p2/fig5_4: is of kind methods, which has no trigger"),
        (("prune", "demmo"), "did you mean 'demo'?"),
        ((*LENET, "--trigger", "low los"), "trigger 'low los': unknown name; choices:"),
        ((*LENET, "--trigger", "peak signal=fisher"), "the signal 'fisher' does not exist; choices:"),
        ((*LENET, "--trigger", "at moment=9ep"), "trigger 'at': moment: 9ep lies outside the run of 3 epochs"),
        ((*LENET, "--seed", "-1"), "--seed: -1 is out of range: a whole number from 0 to"),
        ((*LENET, "--seed", str(2**63)), "is out of range"),
        ((*LENET, "--device", "gpu"), "--device: 'gpu' is no device"),
        ((*LENET, "--device", "cpu,cpu"), "--device: 'cpu,cpu': one run needs one device: name one of them"),
        ((*LENET, "--setting", "wide"), "no setting 'wide'"),
        ((*LENET, "train.lr=fast"), "recipe p0/digits_lenet: train.lr: expected a number, got 'fast'"),
        ((*LENET, "prune.exclude=[nothing]"), "recipe p0/digits_lenet: prune.exclude: the model has no"),
        (("prune", "benchmarks/when", "--scale", "smoke"), "has several settings: name one with --setting"),
    ],
)
def test_wrong_input_is_told_with_its_remedy_and_costs_nothing(
    pruned: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out, before = pruned[0], contents(pruned[0])
    assert message in command(*arguments, "--out", out, status=2)
    assert contents(out) == before
    command(*arguments, status=2)
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_folder_with_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    assert "holds 'letter.txt', and no run of 'secateurs prune'" in command(*LENET, "--out", tmp_path, status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_the_default_trigger_and_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = command("prune", "demo", "--scale", "smoke", "--dry-run")
    assert "demo@smoke: one run of 4 epochs, seed 0;" in told
    assert "trigger 'default': epoch 2; it watches nothing" in told
    told = command("prune", "demo", "--dry-run")
    words = describe(trigger_of(Spec("default"), epochs=30, density=0.1))
    assert words == "mask_distance below 0.04, from epoch 6 to 12 at the latest"
    assert f"trigger 'default': {words}; it watches mask_distance" in told
    assert not list(tmp_path.iterdir())
    own = "triggers.default={name: at, moment: 3ep}"
    for named in ((), ("--trigger", "default")):
        told = command("prune", "demo", "--scale", "smoke", own, *named, "--dry-run")
        assert "trigger 'default': epoch 3; it watches nothing" in told
    told = command("prune", "demo", "--scale", "smoke", "train.epochs=2", "--trigger", "at moment=50%", "--dry-run")
    assert "one run of 2 epochs" in told, "that the study's moments lie outside it is nothing to this command"
    bounded = "below signal=weight_change threshold=0.001 no_later_than=2ep"
    told = command("prune", "demo", "--scale", "smoke", "--seed", "7", "--trigger", bounded)
    assert "handwritten digits, seed 7" in told
    assert "no later than epoch 2: weight_change" in told
    assert "It was the bound that decided, not the signal" in told
    assert (tmp_path / "secateurs-runs" / "prune-demo-smoke" / "pruned.safetensors").is_file()


def test_a_trigger_that_never_fires_and_a_run_that_diverges(tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = command(*LENET, "--trigger", "below signal=loss threshold=-1", "--out", out)
    assert "Not pruned: trigger 'below' never fired. It has not fired by epoch 3: loss" in told
    assert {"dense.safetensors", "result.json"} <= {path.name for path in out.iterdir()}
    told = command(*LENET, "--trigger", "at moment=2ep", "--out", out, "train.lr=1e30")
    assert "Not pruned: the run diverged by 1ep" in told
    assert numbers(out)["diverged"] == "1ep"
    assert {path.name for path in out.iterdir()} == {"store", "result.json", "signal.png"}
