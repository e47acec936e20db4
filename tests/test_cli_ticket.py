"""``secateurs ticket``, end to end on tiny networks, as a user runs it."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from secateurs.cli import main
from secateurs.core import Spec, StoreError
from secateurs.how import Mask
from secateurs.how.density import survivors
from secateurs.studies.runs import load_data
from secateurs.studies.tickets.file import Ticket
from secateurs.studies.tickets.recipe import ticket_recipe
from secateurs.train import begin, train

SMALL = ("model.hidden=[32,16]", "train.epochs=3")
LENET = ("ticket", "lenet_300_100", "digits", "--density", "0.3", *SMALL)
REWOUND = (*LENET, "--rate", "0.4", "--rewind", "10it")
WEIGHTS = 64 * 32 + 32 * 16 + 16 * 10

PLAIN = """
import sys
import torch
from torch import nn


class LeNet(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10)
        )


model = LeNet()
imports, load, place, train = sys.stdin.read().splitlines()
exec(imports)
exec(load)
exec(place)
masks = dict(ticket)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
for _ in range(3):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(20, 1, 8, 8)), torch.arange(20) % 10).backward()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer.step()
    exec(train)
names = [name.removeprefix("mask.") for name in masks]
zero = all(bool((model.get_parameter(name)[~masks["mask." + name]] == 0).all()) for name in names)
moved = all(bool((model.get_parameter(name) != before[name]).any()) for name in names)
print(names, zero, moved, any(module.startswith("secateurs") for module in sys.modules))
"""


def said(*arguments: str | Path, status: int = 0) -> str:
    """What a command says."""
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told), redirect_stderr(told):
        patch.setattr(sys, "argv", ["secateurs", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert ended.value.code == status, told.getvalue()
    return told.getvalue().replace("\N{NO-BREAK SPACE}", " ")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def numbers(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "ticket.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("ticket") / "out"
    return out, said(*REWOUND, "--out", out)


def test_it_tells_the_levels_and_whether_the_ticket_matches(found: tuple[Path, str]) -> None:
    out, told = found
    written = numbers(out)
    assert [level["density"] for level in written["levels"]] == [1.0, 0.6, 0.36, 0.3]
    assert [level["kept"] for level in written["levels"]] == [survivors(d, WEIGHTS) for d in (1.0, 0.6, 0.36, 0.3)]
    lines = [line.split() for line in told.splitlines()]
    dense, last = written["levels"][0], written["levels"][-1]
    assert ["dense", "2,720", "100", "%", f"{100 * dense['accuracy']:.2f}", "%", "\N{EN DASH}", "\N{EN DASH}"] in lines
    matching = last["accuracy"] >= dense["accuracy"] - 0.002 - 1e-9
    assert last["matching"] is written["matching"] is matching
    shown = f"{100 * (last['accuracy'] - dense['accuracy']):+.2f}".replace("-", "\N{MINUS SIGN}")
    assert ["3", "816", "30", "%", f"{100 * last['accuracy']:.2f}", "%", shown, "yes" if matching else "no"] in lines
    words = " ".join(told.split())
    assert f"The ticket {'is' if matching else 'is not'} matching: " in words
    test = written["test_accuracy"]
    assert f"Test accuracy: {100 * test['ticket']:.2f} %, the dense network's {100 * test['dense']:.2f} %." in words
    assert written["provenance"]["command"].startswith("secateurs ticket lenet_300_100 digits")
    assert (written["rewind_step"], written["seed"]) == (10, 0)


def test_the_file_holds_the_weights_of_step_k_and_their_mask(found: tuple[Path, str]) -> None:
    recipe = ticket_recipe("lenet_300_100", "digits", 0.3, overrides=SMALL)
    data = load_data(recipe.data)
    state = begin(recipe.model, data, recipe.train, init_seed=0)
    state = train(state, data, recipe.train, until="10it", order_seed=0)
    tensors = load_file(found[0] / "ticket.safetensors")
    masks = {name.removeprefix("mask."): tensors.pop(name) for name in list(tensors) if name.startswith("mask.")}
    assert list(masks) == ["1.weight", "3.weight", "5.weight"]
    assert all(mask.dtype == torch.bool for mask in masks.values())
    assert sum(int(mask.sum()) for mask in masks.values()) == survivors(0.3, WEIGHTS)
    expected = state.model.state_dict()
    assert tensors.keys() == expected.keys()
    for name, value in expected.items():
        kept = value.masked_fill(~masks[name], 0) if name in masks else value
        assert torch.equal(tensors[name].view(torch.int32), kept.view(torch.int32)), "bit by bit, with no -0"


def test_the_lines_it_prints_work_without_secateurs(found: tuple[Path, str]) -> None:
    lines = [line.strip() for line in found[1].splitlines()[-4:]]
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
        env={"OMP_NUM_THREADS": "1"},
    )
    assert plain.stdout == "['1.weight', '3.weight', '5.weight'] True True False\n", plain.stderr


def test_buffers_are_in_the_file_and_a_layer_may_be_left_whole(tmp_path: Path) -> None:
    small = ("model.width=2", "train.epochs=1", "train.batch_size=256", "data.train_examples=512")
    told = said("ticket", "digits_resnet", "digits", "--density", "0.5", "--one-shot", "--exclude", "fc", *small,
                "--rewind", "50%", "--out", tmp_path / "out")  # fmt: skip
    assert "rewound to step 1" in told
    tensors = load_file(tmp_path / "out" / "ticket.safetensors")
    counted = [int(value) for name, value in tensors.items() if name.endswith("num_batches_tracked")]
    assert counted
    assert set(counted) == {1}
    assert "mask.fc.weight" not in tensors
    assert bool((tensors["fc.weight"] != 0).all())


def test_again_it_trains_nothing_and_writes_the_same(found: tuple[Path, str]) -> None:
    out, told = found
    before = contents(out)
    again = said(*REWOUND, "--out", out)
    assert again.startswith("8 jobs done before, not run again\n")
    assert again.partition("not run again\n")[2] == told[told.index("A ticket: ") :]
    assert contents(out) == before


def test_another_density_takes_what_is_there_from_the_same_store(found: tuple[Path, str], tmp_path: Path) -> None:
    sparser = ["0.2" if word == "0.3" else word for word in REWOUND]
    store = found[0] / "store"
    told = said(*sparser, "--out", tmp_path / "sparser", "--store", store)
    assert told.startswith("6 jobs done before, not run again\n")
    assert [level["density"] for level in numbers(tmp_path / "sparser")["levels"]] == [1.0, 0.6, 0.36, 0.216, 0.2]


def test_other_settings_in_the_same_folder_are_refused_with_the_difference(found: tuple[Path, str]) -> None:
    before = contents(found[0])
    told = said(*REWOUND, "train.lr=0.01", "--out", found[0], status=2)
    assert "holds a study of other settings" in told
    assert "train.lr: 0.0012 there, 0.01 now" in told
    assert contents(found[0]) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ticket", "lenet_300", "digits", "--density", "0.3"), "no network is named 'lenet_300'; choices:"),
        (("ticket", "lenet_300", "digits", "--density", "0.3"), "did you mean 'lenet_300_100'?"),
        (("ticket", "lenet_300_100", "digit", "--density", "0.3"), "did you mean 'digits'?"),
        ((*LENET, "--density", "0"), "--density: 0 lies outside (0, 1)"),
        ((*LENET, "--density", "1"), "--density: 1 lies outside (0, 1)"),
        ((*LENET, "--density", "nan"), "--density: nan lies outside (0, 1)"),
        ((*LENET, "--rate", "1"), "--rate: 1 lies outside (0, 1)"),
        (
            (*LENET, "--density", "0.0001"),
            "--density: level 31 drops nothing: density 0.000990352 keeps 3 of 2720",
        ),
        ((*LENET, "--density", "0.0001", "--one-shot"), "--density: level 1 leaves nothing: density 0.0001 keeps 0 of"),
        ((*LENET, "--rate", "1e-9"), "--rate: 1e-09 drops so little that density 0.3 takes 1.204e+09 levels"),
        ((*LENET, "prune=5"), "recipe ticket: prune: expected a mapping of keys, got 5"),
        ((*LENET, "--rewind", "9ep"), "rewind: 9ep lies outside the run of 3 epochs"),
        ((*LENET, "--rewind", "900it"), "rewind: 900it lies outside the run of 3 epochs of 18 steps"),
        ((*LENET, "--rewind", "100%"), "--rewind: 100% leaves nothing of the run to train"),
        ((*LENET, "--rewind", "soon"), "--rewind: moment 'soon' is not understood"),
        ((*LENET, "--exclude", "7"), "the model has no module or parameter '7'; choices: 1.weight"),
        ((*LENET, "--seed", "-1"), "--seed: -1 is out of range"),
        ((*LENET, "--device", "cpu,cpu"), "levels follow on one another: name one device"),
        ((*LENET, "train.lr=fast"), "recipe ticket: train.lr: expected a number, got 'fast'"),
        ((*LENET, "train.epochs=many"), "recipe ticket: train.epochs: expected a whole number, got 'many'"),
        ((*LENET, "model.width=3"), "recipe ticket: model.width: unknown key; choices: hidden"),
        ((*LENET, "seeds=[1]"), "override seeds: is not open to overrides; choices:"),
        ((*LENET, "model=conv_2"), "the network is lenet_300_100: name another one in its place"),
    ],
    ids=str,
)
def test_wrong_input_is_told_with_its_remedy_and_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in said(*arguments, status=2)
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--seed", "1"), "seed: 0 there, 1 now"),
        (("--rewind", "1ep"), "rewind: 0ep10it there, 1ep now"),
        (("--density", "0.2"), "density: 0.3 there, 0.2 now"),
    ],
)
def test_another_ticket_is_not_written_over(found: tuple[Path, str], change: tuple[str, ...], told: str) -> None:
    before = contents(found[0])
    refused = said(*REWOUND, *change, "--out", found[0], status=2)
    assert told in refused
    assert "--out another folder; --store" in refused
    assert contents(found[0]) == before


def test_a_ticket_whose_recipe_is_damaged_is_left_alone(found: tuple[Path, str], tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(found[0], out)
    (out / "recipe.yaml").write_text("", encoding="utf-8")
    before = contents(out)
    assert "it cannot be read which ticket this is" in said(*REWOUND, "--out", out, status=2)
    assert contents(out) == before
    (out / "ticket.safetensors").unlink()
    assert said(*REWOUND, "--out", out).startswith("8 jobs done before, not run again\n")


def test_a_folder_that_was_killed_early_goes_on(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml.new").write_text("name: tick", encoding="utf-8")
    assert "to load it" in said(*LENET, "--one-shot", "train.epochs=1", "--out", tmp_path)
    assert not (tmp_path / "recipe.yaml.new").exists()


def test_names_that_would_be_taken_for_masks_are_told(tmp_path: Path) -> None:
    mask = Mask({"1.weight": torch.ones(2, 2, dtype=torch.bool)})
    ticket = Ticket(mask, {"mask.weight": torch.ones(2, 2)}, (), {}, {}, "0ep", 0, None)
    with pytest.raises(StoreError, match=r"'mask.weight' would be taken for a mask"):
        ticket.write(tmp_path / "ticket.safetensors")


def test_without_a_density_the_help_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Missing option '--density'" in said("ticket", "lenet_300_100", "digits", status=2)


def test_a_folder_with_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    assert "holds 'letter.txt', and no run of 'secateurs ticket'" in said(*LENET, "--out", tmp_path, status=2)
    assert "is a file: name a folder" in said(*LENET, "--out", tmp_path / "letter.txt", status=2)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_dry_run_tells_the_size_and_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = said("ticket", "digits_resnet", "digits", "--density", "0.3", "train.epochs=8", "--dry-run")
    assert "14 jobs; the dense network and 6 levels, 8 epochs each; about" in told
    assert "kB of networks kept" in told or "MB of networks kept" in told
    assert not list(tmp_path.iterdir())


def test_an_emptied_layer_is_named_and_the_ticket_written(tmp_path: Path) -> None:
    sparse = ["0.003" if word == "0.3" else word for word in LENET]
    told = said(*sparse, "--one-shot", "--out", tmp_path / "out")
    empty = numbers(tmp_path / "out")["levels"][-1]["empty_layers"]
    assert empty
    assert f"Level 1 has nothing left in {', '.join(empty)}: nothing passes through." in " ".join(told.split())
    tensors = load_file(tmp_path / "out" / "ticket.safetensors")
    assert not any(tensors[name].any() or tensors[f"mask.{name}"].any() for name in empty)


def test_where_the_network_diverges_there_is_no_ticket(tmp_path: Path) -> None:
    told = said(*LENET, "train.lr=1e30", "--out", tmp_path / "out", status=1)
    assert "There is no ticket: the dense network diverged by" in told
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"recipe.yaml", "store", "ticket.json"}
    assert numbers(tmp_path / "out")["matching"] is None


def test_the_network_and_data_named_are_those_of_the_recipe() -> None:
    recipe = ticket_recipe("resnet20", "digits", 0.5, rewind="0", overrides=["train.epochs=8", "data.enlarge=4"])
    assert recipe.model == Spec("resnet20", dict(recipe.model.options))
    assert recipe.data.options["enlarge"] == 4
