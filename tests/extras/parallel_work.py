"""What torchrun's two processes do: each trainer trains a network on both, and writes down what it ended with."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parents[1]))

import in_lightning
import in_transformers

from secateurs import Unstructured
from secateurs.when import TrainLoss
from secateurs.zoo import Classification
from toys import CLASSES


def written(folder: Path, name: str, pruner: Any, net: torch.nn.Module) -> None:
    rank = dist.get_rank()
    parameters = {f"model/{name}": p.detach() for name, p in net.named_parameters()}
    save_file(parameters | pruner.mask.to_tensors(), folder / f"{name}-{rank}.safetensors")
    log = [{key: value for key, value in row.items() if "seconds" not in key} for _, row in pruner.log]
    (folder / f"{name}-{rank}.json").write_text(json.dumps({"log": log, "event": str(pruner.event)}))


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # the tests on one process look at warnings
    options: dict[str, Any] = {"how": Unstructured(0.5, scope="layer"), "what": "snip", "signals": [TrainLoss()]}

    chief, callback = in_transformers.trainer(folder / "trainer", options, save_strategy="epoch")
    chief.train()
    written(folder, "transformers", callback.pruner, chief.model)
    if "resumed" in sys.argv:
        again, callback = in_transformers.trainer(folder / "trainer", options)
        warnings.simplefilter("error", UserWarning)  # each rank finds its own examples
        again.train(resume_from_checkpoint=str(folder / "trainer" / f"checkpoint-{chief.state.max_steps // 4}"))
        warnings.simplefilter("ignore")
        written(folder, "resumed", callback.pruner, again.model)

    pruning, net = in_lightning.EarlyPruning(Classification(CLASSES), **options), in_lightning.Net()
    trainer = in_lightning.trainer(folder, pruning, strategy="ddp", devices=dist.get_world_size())
    trainer.fit(net, in_lightning.loader(), in_lightning.loader())
    written(folder, "lightning", pruning.pruner, net)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
