"""Channels are removed early in training: from then on every step costs less, which the loop prints."""

import time

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from secateurs import Channels, EarlyPruner, Spec
from secateurs.zoo import Classification, build_model, digits

torch.manual_seed(0)
data = digits()
train_set, test_set = (next(part.batches(len(part))) for part in (data.train, data.test))
loader = DataLoader(TensorDataset(*train_set), batch_size=64, shuffle=True, drop_last=True)

model = build_model(Spec("digits_resnet"), data.input_shape, 10, seed=0)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.8)
epochs, milliseconds = 10, {False: [], True: []}
pruner = EarlyPruner(model, optimizer, Classification(10), how=Channels(density=0.2), epochs=epochs)

for epoch in range(1, epochs + 1):
    model.train()
    start = time.perf_counter()
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        F.cross_entropy(outputs, targets).backward()
        optimizer.step()
        pruner.step((inputs, targets), outputs)
    milliseconds[pruner.pruned].append(1000 * (time.perf_counter() - start) / len(loader))
    scheduler.step()
    event = pruner.epoch_end()
    accuracy = (model.eval()(test_set.inputs).argmax(1) == test_set.targets).float().mean().item()
    print(f"epoch {epoch:2d}  test accuracy {accuracy:.3f}  {event or ''}")

print(pruner.savings())
dense, now = (min(times) for times in milliseconds.values())
print(f"a step took {dense:.1f} ms with the dense network, and takes {now:.1f} ms now (in the fastest epoch of each)")
