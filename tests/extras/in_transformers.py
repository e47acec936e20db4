"""What the tests train with the transformers Trainer: a tiny BERT that tells which of three words stands first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel, Trainer
from transformers import TrainingArguments as TrainingArguments

from secateurs.integrations.transformers import FILE as FILE
from secateurs.integrations.transformers import EarlyPruning as EarlyPruning
from secateurs.integrations.transformers import HuggingFaceCausalLM as HuggingFaceCausalLM
from secateurs.integrations.transformers import HuggingFaceClassification

EXAMPLES, BATCH, WORDS, LENGTH = 44, 8, 12, 6
STEPS = -(-EXAMPLES // BATCH)
TASK = HuggingFaceClassification(3, inputs=("input_ids",))


class Uncopyable(list[Any]):
    """Too large to be copied along with a network."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise MemoryError


def sentences(count: int = EXAMPLES) -> list[dict[str, torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    words = torch.randint(1, WORDS, (count, LENGTH), generator=draw)
    seen = torch.ones(LENGTH, dtype=torch.long)
    return [{"input_ids": each, "attention_mask": seen, "labels": each[0] % 3} for each in words]


def bert() -> Any:
    """With dropout, so that resuming needs the random state, too."""
    config = BertConfig(
        vocab_size=WORDS,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=LENGTH + 2,
        num_labels=3,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return BertForSequenceClassification(config)


def gpt() -> Any:
    config = GPT2Config(vocab_size=WORDS, n_positions=8, n_embd=16, n_layer=1, n_head=2)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return GPT2LMHeadModel(config)


def trainer(folder: Path, pruning: dict[str, Any] | None, **options: Any) -> tuple[Trainer, EarlyPruning]:
    """A trainer and its callback, with ``pruning`` for options; those of the trainer's arguments are ``options``."""
    settings = {
        "num_train_epochs": 4,
        "per_device_train_batch_size": BATCH,
        "learning_rate": 1e-2,
        "save_strategy": "no",
        "logging_strategy": "epoch",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        **options,
    }
    arguments = TrainingArguments(str(folder), **settings)
    chief = Trainer(
        bert(), arguments, train_dataset=Uncopyable(sentences()), eval_dataset=sentences(16), compute_metrics=declining
    )
    callback = EarlyPruning(chief, TASK, **(pruning or {}))
    chief.add_callback(callback)
    return chief, callback


def declining(told: Any) -> dict[str, float]:
    """A score that each evaluation makes worse: the best is the first that is looked at."""
    declining.calls += 1
    return {"score": -float(declining.calls)}


declining.calls = 0


def batches(*lengths: int) -> list[dict[str, torch.Tensor]]:
    """Batches of sentences, padded to the lengths."""
    whole = {name: torch.stack([each[name] for each in sentences(8)]) for name in sentences(1)[0]}

    def padded(value: torch.Tensor, length: int) -> torch.Tensor:
        return value if value.ndim == 1 else torch.nn.functional.pad(value, (0, length - LENGTH))

    return [{name: padded(value, length) for name, value in whole.items()} for length in lengths]
