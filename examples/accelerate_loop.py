"""A loop with Hugging Face accelerate, and the lines that prune its network early: marked with an arrow.

Runs as it is, or with ``accelerate launch`` on several processes. Needs ``pip install 'secateurs[accelerate]'``.
"""

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs import EarlyPruner, Unstructured  # <-
from secateurs.zoo import Classification, digits

EPOCHS = 20

accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
set_seed(0)
data = digits()
train_set, test_set = (TensorDataset(*next(part.batches(len(part)))) for part in (data.train, data.test))
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
model, prepared, loader, test_loader = accelerator.prepare(
    model, optimizer, DataLoader(train_set, batch_size=32, shuffle=True), DataLoader(test_set, batch_size=360)
)
# The prepared model, so that several processes decide together, and torch's own optimizer.
pruner = EarlyPruner(model, optimizer, Classification(10), how=Unstructured(density=0.1), epochs=EPOCHS)  # <-

for _ in range(EPOCHS):
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            outputs = model(inputs)
            accelerator.backward(F.cross_entropy(outputs, targets))
            prepared.step()
            if accelerator.sync_gradients:  # not for micro-batches
                pruner.step((inputs, targets), outputs)  # <-
            prepared.zero_grad()
    if event := pruner.epoch_end():  # <-
        accelerator.print(event)

model.eval()
with torch.no_grad():
    right = [accelerator.gather_for_metrics(model(inputs).argmax(1) == targets) for inputs, targets in test_loader]
accuracy = torch.cat(right).float().mean().item()
accelerator.print(f"test accuracy {accuracy:.3f}")
