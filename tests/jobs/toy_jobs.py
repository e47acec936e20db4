"""Job functions of the tests. What they do beside their result goes to files next to the store."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import torch

from secateurs.core import generator_for
from secateurs.jobs import Context, Job, job

SAID, HOLD, STUBBORN = "said", "hold", "stubborn"


def beside(ctx: Context) -> Path:
    return ctx.dir.parent.parent


def count(ctx: Context, word: str) -> None:
    """Add a line to the file ``ran``: one write, so that processes do not mix their lines."""
    with (beside(ctx) / "ran").open("ab", buffering=0) as file:
        file.write(f"{word}\n".encode())


def hold(ctx: Context, word: str) -> None:
    """Where the test made a file ``hold`` with this word: say so through the pipe ``said``, and wait to be
    released (the file goes), stopped or killed. The pipe stays open, so that its other end hears this process die."""
    wanted = beside(ctx) / HOLD
    if not wanted.exists() or wanted.read_text() != word:
        return
    pipe = os.open(beside(ctx) / SAID, os.O_WRONLY)
    os.write(pipe, f"{word}\n".encode())
    while wanted.exists() and not ctx.stopping:
        time.sleep(0.002)  # until an event, however long it takes
    if (beside(ctx) / STUBBORN).exists():
        os.write(pipe, b"stopping\n")
        while True:
            signal.pause()


@job("toy.sum")
def add(config: dict[str, Any], inputs: Any, ctx: Context) -> dict[str, Any]:
    count(ctx, f"sum {config['x']}")
    total = config["x"] + sum(entry.summary["y"] for entry in inputs.values())
    ctx.save({"y": torch.tensor([float(total)]), "drawn": torch.randn(3)})
    ctx.log({"y": total})
    return {"y": total}


@job("toy.walk")
def walk(config: dict[str, Any], inputs: Any, ctx: Context) -> dict[str, Any]:
    """Like training: a state that follows from all epochs before, rows, a snapshot, pause points."""
    count(ctx, f"walk {config['seed']}")
    start, w = 0, torch.zeros(1000)
    if ctx.restored:
        tensors, meta = ctx.restored
        start, w = meta["epoch"], tensors["w"]
    for epoch in range(start, config["epochs"]):
        w = 0.9 * w + torch.randn(1000, generator=generator_for(config["seed"], epoch))
        hold(ctx, f"walk {config['seed']} computed {epoch}")
        ctx.log({"epoch": epoch, "norm": w.norm().item()})
        if epoch == 1:
            ctx.save({"w": w}, name="early")
        hold(ctx, f"walk {config['seed']} logged {epoch}")
        ctx.pause_point(lambda w=w, epoch=epoch: ({"w": w}, {"epoch": epoch + 1}))  # type: ignore[misc]
        count(ctx, f"walk {config['seed']} passed {epoch}")
    ctx.save({"w": w})
    hold(ctx, f"walk {config['seed']} saved")
    return {"norm": w.norm().item()}


@job("toy.fail")
def fail(config: dict[str, Any], inputs: Any, ctx: Context) -> None:
    ctx.log({"before": 1})
    raise ValueError("the toy is broken")


@job("toy.exit")
def leave(config: dict[str, Any], inputs: Any, ctx: Context) -> None:
    raise SystemExit(3)


@job("toy.killed")
def killed(config: dict[str, Any], inputs: Any, ctx: Context) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job("toy.where")
def where(config: dict[str, Any], inputs: Any, ctx: Context) -> dict[str, Any]:
    handler = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    return {"pid": os.getpid(), "threads": torch.get_num_threads(), "deaf": handler, "device": str(ctx.device)}


def total(x: int, *inputs: Job, **display: Any) -> Job:
    return Job("toy.sum", 1, {"x": x}, {str(i): each for i, each in enumerate(inputs)}, **display)


def walker(seed: int, epochs: int = 6) -> Job:
    return Job("toy.walk", 1, {"seed": seed, "epochs": epochs}, label=f"walk {seed}")


def study() -> list[Job]:
    """A small graph with everything in it: two walks, and sums that need one another."""
    first = total(1)
    return [walker(0), walker(1), total(10, first), total(100, first, total(10, first))]
