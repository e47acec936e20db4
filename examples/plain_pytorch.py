"""A training loop as it is in every tutorial, and the lines that prune its network early: marked with an arrow."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs import EarlyPruner, Unstructured  # <-
from secateurs.zoo import Classification, digits

torch.manual_seed(0)
data = digits()
train_set, test_set = (next(part.batches(len(part))) for part in (data.train, data.test))
loader = DataLoader(TensorDataset(*train_set), batch_size=64, shuffle=True)

model = nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.97)
epochs = 20
pruner = EarlyPruner(model, optimizer, Classification(10), how=Unstructured(density=0.1), epochs=epochs)  # <-

for epoch in range(1, epochs + 1):
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        F.cross_entropy(outputs, targets).backward()
        optimizer.step()
        pruner.step((inputs, targets), outputs)  # <-
    scheduler.step()
    event = pruner.epoch_end()  # <-
    accuracy = (model(test_set.inputs).argmax(1) == test_set.targets).float().mean().item()
    print(f"epoch {epoch:2d}  test accuracy {accuracy:.3f}  {event or ''}")

print(pruner.savings())
