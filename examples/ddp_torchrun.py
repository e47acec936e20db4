"""Two processes train one network on digits and prune it early, at one moment, with one mask.

Start it with ``OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 examples/ddp_torchrun.py``. The lines that prune are
marked with an arrow: those of the loop for one process, with the wrapped model.
"""

import hashlib

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from secateurs import EarlyPruner, Unstructured  # <-
from secateurs.zoo import Classification, digits

EPOCHS = 20

dist.init_process_group("gloo")  # with GPUs: "nccl"
rank = dist.get_rank()
torch.manual_seed(0)
data = digits()
train_set, test_set = (next(part.batches(len(part))) for part in (data.train, data.test))
sampler = DistributedSampler(TensorDataset(*train_set))
loader = DataLoader(TensorDataset(*train_set), batch_size=32, sampler=sampler)

net = nn.Sequential(nn.Flatten(), nn.Linear(64, 300), nn.ReLU(), nn.Linear(300, 10))
model = DistributedDataParallel(net)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
# On every rank, with the wrapped model: it says who the others are.
pruner = EarlyPruner(model, optimizer, Classification(10), how=Unstructured(density=0.1), epochs=EPOCHS)  # <-

for epoch in range(EPOCHS):
    sampler.set_epoch(epoch)
    for inputs, targets in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        F.cross_entropy(outputs, targets).backward()
        optimizer.step()
        pruner.step((inputs, targets), outputs)  # <-
    event = pruner.epoch_end()  # <- on every rank
    if event and rank == 0:
        print(event)

with torch.no_grad():
    accuracy = (net(test_set.inputs).argmax(1) == test_set.targets).float().mean().item()
kept = b"".join(pruner.mask[name].numpy().tobytes() for name in sorted(pruner.mask))
zeros = all(torch.equal(p != 0, pruner.mask[name]) for name, p in net.named_parameters() if name in pruner.mask)
digest = hashlib.sha256(kept).hexdigest()[:12]
told = f"rank {rank}: mask {digest}, density {pruner.mask.density:.3f}, in force: {zeros}, test accuracy {accuracy:.3f}"
every: list[str] = [""] * dist.get_world_size()
dist.all_gather_object(every, told)
if rank == 0:
    print("\n".join(every))
dist.destroy_process_group()
