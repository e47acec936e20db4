"""A LightningModule that learns handwritten digits, and the lines that prune it early: marked with an arrow.

Needs ``pip install 'secateurs[lightning]'``.
"""

from tempfile import TemporaryDirectory

import lightning as L
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs import Unstructured
from secateurs.integrations.lightning import EarlyPruning  # <-
from secateurs.zoo import Classification, digits


class Digits(L.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 10))

    def forward(self, images):
        return self.net(images)

    def training_step(self, batch):
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch):
        images, labels = batch
        self.log("accuracy", (self(images).argmax(1) == labels).float().mean())

    def test_step(self, batch):
        self.validation_step(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)


L.seed_everything(0)
data = digits()
train, validation, test = (
    TensorDataset(*next(part.batches(len(part)))) for part in (data.train, data.validation, data.test)
)
pruning = EarlyPruning(Classification(10), how=Unstructured(density=0.1))  # <- when=None: the default trigger
best = L.pytorch.callbacks.ModelCheckpoint(monitor="accuracy", mode="max")  # once pruned: the best pruned network

with TemporaryDirectory() as folder:
    trainer = L.Trainer(
        max_epochs=20,
        accelerator="cpu",
        callbacks=[pruning, best],  # <-
        default_root_dir=folder,
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Digits(), DataLoader(train, batch_size=64, shuffle=True), DataLoader(validation, batch_size=360))
    (result,) = trainer.test(dataloaders=DataLoader(test, batch_size=360), ckpt_path="best", verbose=False)

print(pruning.pruner.event)
print(f"test accuracy {result['accuracy']:.3f}")
