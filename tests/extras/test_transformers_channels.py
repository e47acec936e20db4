"""Channels of Hugging Face's networks: heads and MLP widths, cut as the masked network says, in training too."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from channel_nets import prepared, some
from secateurs.core import Keep
from secateurs.how import channel_groups, channel_mask, cut_in_place, enforce, mask_channels, remove_channels

IDS = torch.randint(0, 40, (3, 6), generator=torch.Generator().manual_seed(0))
SEEN = torch.tensor([[1] * 6, [1] * 4 + [0] * 2, [1] * 5 + [0]])
PICTURES = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
WORDS = {"input_ids": IDS, "attention_mask": SEEN}
SIZE = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 10}
NONE = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
LAYERS = (0, 1)

NETS: dict[str, tuple[str, dict[str, Any], dict[str, Tensor], dict[str, int]]] = {
    "BertForSequenceClassification": (
        "BertConfig",
        SIZE | NONE | {"vocab_size": 40, "max_position_embeddings": 8, "num_labels": 3},
        WORDS,
        {f"bert.encoder.layer.{i}.attention.self.query": 3 for i in LAYERS}
        | {f"bert.encoder.layer.{i}.intermediate.dense": 10 for i in LAYERS}
        | {"bert.pooler.dense": 12},
    ),
    "DistilBertForSequenceClassification": (
        "DistilBertConfig",
        {"dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 10, "vocab_size": 40, "max_position_embeddings": 8}
        | {"dropout": 0.0, "attention_dropout": 0.0, "seq_classif_dropout": 0.0},
        WORDS,
        {f"distilbert.transformer.layer.{i}.attention.q_lin": 3 for i in LAYERS}
        | {f"distilbert.transformer.layer.{i}.ffn.lin1": 10 for i in LAYERS}
        | {"pre_classifier": 12},
    ),
    "GPT2LMHeadModel": (
        "GPT2Config",
        {"n_embd": 12, "n_layer": 2, "n_head": 3, "n_inner": 10, "vocab_size": 40, "n_positions": 8}
        | {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "use_cache": False},
        WORDS,
        {f"transformer.h.{i}.attn.c_attn": 3 for i in LAYERS} | {f"transformer.h.{i}.mlp.c_fc": 10 for i in LAYERS},
    ),
    "LlamaForCausalLM": (
        "LlamaConfig",
        SIZE
        | {"hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, "use_cache": False},
        WORDS,
        {f"model.layers.{i}.self_attn.q_proj": 2 for i in LAYERS}  # two heads of queries share one of keys
        | {f"model.layers.{i}.mlp.gate_proj": 10 for i in LAYERS},
    ),
    "ViTForImageClassification": (
        "ViTConfig",
        SIZE | NONE | {"image_size": 8, "patch_size": 4, "num_labels": 3},
        {"pixel_values": PICTURES},
        {f"vit.layers.{i}.attention.q_proj": 3 for i in LAYERS} | {f"vit.layers.{i}.mlp.fc1": 10 for i in LAYERS},
    ),
}


@pytest.fixture
def net(extra: Callable[..., Any]) -> Callable[[str, str], tuple[nn.Module, dict[str, Tensor], dict[str, int]]]:
    transformers = extra("transformers", "transformers")

    def build(name: str, attention: str) -> tuple[nn.Module, dict[str, Tensor], dict[str, int]]:
        config, options, inputs, units = NETS[name]
        with torch.random.fork_rng(devices=()):
            torch.manual_seed(2)
            made = getattr(transformers, config)(**options, attn_implementation=attention)
            return prepared(getattr(transformers, name)(made)), inputs, units

    return build


def restricted(model: nn.Module, keep: Keep) -> dict[str, Tensor]:
    return dict(remove_channels(model, keep).state_dict())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", NETS)
def test_heads_and_widths(name: str, attention: str, net: Callable[..., Any]) -> None:
    """Units are whole heads; attention masks are followed whether or not there is something to mask."""
    model, inputs, units = net(name, attention)
    groups = channel_groups(model, inputs)
    assert {group.name: group.units for group in groups} == units
    if "attention_mask" in inputs:
        assert channel_groups(model, inputs | {"attention_mask": torch.ones_like(SEEN)}) == groups
    keep = some(groups, 1)
    small, masked = remove_channels(model, keep), copy.deepcopy(model)
    mask_channels(masked, keep)
    with torch.no_grad():
        torch.testing.assert_close(small(**inputs).logits, masked(**inputs).logits, rtol=1e-10, atol=1e-12)
    for module in small.modules():
        if hasattr(module, "split_size"):
            assert module.split_size == 4 * module.num_heads == module.c_attn.nf // 3
        if hasattr(module, "all_head_size"):
            assert module.all_head_size == 4 * module.num_attention_heads == module.query.out_features
    assert channel_groups(small, inputs)


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "GPT2LMHeadModel"])
def test_fine_tuning_goes_on(name: str, net: Callable[..., Any]) -> None:
    """Steps of AdamW after the cut are those of the masked network, where entries are left."""
    model, inputs, _ = net(name, "sdpa")
    keep = some(channel_groups(model, inputs), 3)
    dense = copy.deepcopy(model)
    loops = [(each.train(), torch.optim.AdamW(each.parameters(), lr=1e-2, eps=1e-3)) for each in (model, dense)]

    def step() -> None:
        for each, optimizer in loops:
            optimizer.zero_grad()
            torch.tanh(each(**inputs).logits).square().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    step()
    cut_in_place(model, keep, loops[0][1])
    mask_channels(dense, keep)
    with enforce(dense, loops[1][1], channel_mask(dense, keep)):
        for _ in range(3):
            step()
    for key, tensor in restricted(dense, keep).items():
        torch.testing.assert_close(model.state_dict()[key], tensor, rtol=1e-7, atol=1e-10, msg=key)
