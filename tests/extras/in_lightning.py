"""What the tests train with Lightning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs.integrations.lightning import EarlyPruning
from toys import CLASSES, toy_data

BATCH = 8


class Net(L.LightningModule):
    """``how`` says how the training step calls the network, and who steps."""

    def __init__(self, how: str = "self") -> None:
        super().__init__()
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, CLASSES))
        self.how = how
        self.automatic_optimization = how not in ("manual", "two")

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def training_step(self, batch: Any, number: int) -> Any:
        x, y = batch
        output = self.net(x) if self.how in ("inside", "told") else self(x)
        loss = F.cross_entropy(output, y)
        if self.how == "manual":
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return {"loss": loss, "output": output} if self.how == "told" else loss

    def validation_step(self, batch: Any, number: int) -> None:
        # The best is the first epoch's, the dense network's: what pruned ones must not be compared with.
        self.log("score", float(self.current_epoch))

    test_step = validation_step

    def configure_optimizers(self) -> Any:
        chosen = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
        return [chosen, torch.optim.SGD([self.net[1].bias], lr=0.1)] if self.how == "two" else chosen


class Uncopyable(TensorDataset):
    """Too large to be copied along with a network."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise MemoryError


def loader() -> DataLoader[Any]:
    batch = next(toy_data().train.batches(10_000))
    return DataLoader(Uncopyable(*batch), batch_size=BATCH)


def trainer(folder: Path, pruning: EarlyPruning, *others: Any, epochs: int | None = 5, **options: Any) -> L.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    callbacks = [pruning, *others]
    if not others:
        quiet["enable_checkpointing"] = False
    return L.Trainer(
        max_epochs=epochs, accelerator="cpu", default_root_dir=folder, callbacks=callbacks, **{**quiet, **options}
    )


def checkpoints(folder: Path, **options: Any) -> ModelCheckpoint:
    return ModelCheckpoint(dirpath=folder, filename="{epoch}-{step}", save_top_k=-1, **options)
