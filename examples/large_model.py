"""A network too large to be trained dense: built, scored and cut to 2 % of its weights on the CPU, and trained then.

ResNeXt-101 is scored by CroP-S before training (P1 5.2), by one example of each class, a few a pass. That takes the
memory of its weights, of one gradient, and of one pass's activations; the optimiser never sees the dense network.
With --plan nothing is computed: sizes are counted of the network on the meta device.

    python examples/large_model.py [--model resnext101_32x8d] [--pixels 64] [--micro-batch 2] [--density 0.02] [--plan]
"""

import argparse
import resource
import time

import torch
import torch.nn.functional as F

from secateurs import Spec
from secateurs.core import Batch, evaluating
from secateurs.how import channel_groups, cut_in_place, keep_top_channels
from secateurs.measure.costs import most_allocated
from secateurs.what import channel_score
from secateurs.zoo import Classification, build_model, digits

MIB = 2**20
TASK = Classification(10)


def weights(model):
    """Bytes of all parameters."""
    return sum(p.numel() * p.element_size() for p in model.parameters())


def kept_for_backward(model, inputs):
    """Bytes of what one pass keeps for the backward pass, beside the weights."""
    own = {p.untyped_storage()._cdata for p in model.parameters()}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()
        return tensor

    with evaluating(model), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(inputs).sum()
    return sum(storage.nbytes() for key, storage in kept.items() if key not in own)


def plan(spec, shape, examples, density):
    """What each stage takes, as arithmetic."""
    with torch.device("meta"):
        model = build_model(spec, shape, 10, seed=0)
        activations = kept_for_backward(model, torch.empty(examples, *shape))
    w = weights(model)
    print(f"{spec.name}: {w // 4:,} parameters; of {examples} examples of {' x '.join(map(str, shape))} a pass")
    for what, size in {
        "weights": w,
        "one gradient": w,
        "activations of a pass, and their derivatives along the gradient": 2 * activations,
        "in all, to score it": 2 * w + 2 * activations,
        "to train it dense by SGD with momentum, activations apart": 3 * w,
        f"to train {density:.0%} of its weights, activations apart": 3 * w * density,
    }.items():
        print(f"{size / MIB:8,.0f} MiB  {what}")


def stage(what, call):
    """Call it, and tell its time, what the allocator gave out meanwhile, and the process's largest size so far."""
    begun = time.perf_counter()
    result, most = most_allocated(call)
    seconds, resident = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what:28} {seconds:6.1f} s   at most {most / MIB:7,.0f} MiB more   process {resident:7,.0f} MiB", flush=True
    )
    return result


arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--model", default="resnext101_32x8d")
arguments.add_argument("--pixels", type=int, default=64)
arguments.add_argument("--micro-batch", type=int, default=2)
arguments.add_argument("--density", type=float, default=0.02)
arguments.add_argument("--steps", type=int, default=40)
arguments.add_argument("--plan", action="store_true")
chosen = arguments.parse_args()
spec, shape = Spec(chosen.model), (1, chosen.pixels, chosen.pixels)

if chosen.plan:
    plan(spec, shape, chosen.micro_batch, chosen.density)
else:
    data = digits()

    def enlarged(batch):
        return Batch(F.interpolate(batch.inputs, size=shape[1:], mode="bilinear"), batch.targets)

    every = next(data.train.batches(len(data.train)))
    first_of_each = torch.stack([(every.targets == digit).nonzero()[0, 0] for digit in range(10)])
    examples = enlarged(Batch(every.inputs[first_of_each], every.targets[first_of_each]))

    model = stage("build", lambda: build_model(spec, shape, 10, seed=0))
    dense = weights(model)
    print(f"{spec.name}: {dense // 4:,} parameters, {dense / MIB:,.0f} MiB; so much is a gradient, too")
    groups = stage("trace its channels", lambda: channel_groups(model, examples.inputs[:1]))
    score = Spec("crop_gate", {"micro_batch": chosen.micro_batch})
    scores = stage("score them", lambda: channel_score(model, TASK, [examples], groups, name=score))
    keep = stage("choose", lambda: keep_top_channels(groups, scores, chosen.density))
    stage("cut", lambda: cut_in_place(model, keep))
    print(f"{weights(model) / dense:.2%} of the parameters are left, {weights(model) / MIB:,.0f} MiB")

    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    order = torch.Generator().manual_seed(0)

    def train():
        """A few steps; the mean loss of the first and of the last five."""
        losses = []
        model.train()
        for _ in range(chosen.steps):
            picked = torch.randint(len(every.targets), (32,), generator=order)
            batch = enlarged(Batch(every.inputs[picked], every.targets[picked]))
            optimizer.zero_grad()
            loss = TASK.loss(model(batch.inputs), batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return sum(losses[:5]) / 5, sum(losses[-5:]) / 5

    before, after = stage(f"train it, {chosen.steps} steps", train)
    print(f"loss {before:.2f} at first, {after:.2f} in the end")
