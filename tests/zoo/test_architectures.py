"""MobileNet, DenseNet, pre-activation ResNets, ResNeXt: parameters counted by hand, and what their parts compute."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import Spec, TrainingError, prunable
from secateurs.zoo import MODELS, build_model
from secateurs.zoo.models.densenet import DenseLayer
from secateurs.zoo.models.mobilenet import SeparableConv
from secateurs.zoo.models.preactivation import PreactivationBlock
from secateurs.zoo.models.residual import Bottleneck, ResNet
from toys import generator


def parameters(name: str, input_shape: tuple[int, ...] = (3, 32, 32), num_classes: int = 10, **options: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in MODELS[name](input_shape, num_classes, **options).parameters())


def conv_bn(kernel: int, a: int, b: int, groups: int = 1) -> int:
    return kernel * kernel * a * b // groups + 2 * b


def shapes(model: nn.Module, inputs: Tensor, *layers: str) -> list[tuple[int, ...]]:
    """Of each of those layers, the shape of its output."""
    seen: dict[str, tuple[int, ...]] = {}
    for layer in layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _, __, output, layer=layer: seen.update({layer: tuple(output.shape[1:])})
        )
    model(inputs)
    return [seen[layer] for layer in layers]


def test_mobilenet_has_the_published_number_of_parameters() -> None:
    channels = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    layers = conv_bn(3, 3, 32) + sum(conv_bn(3, a, a, groups=a) + conv_bn(1, a, b) for a, b in pairwise(channels))
    assert parameters("mobilenet_v1") == layers + 1025 * 10 == 3_217_226
    assert parameters("mobilenet_v1", (3, 224, 224), 1000, stem="imagenet") == layers + 1025 * 1000 == 4_231_976
    assert "3,217,226 parameters on CIFAR-10, 4,231,976 on ImageNet" in str(MODELS["mobilenet_v1"].__doc__)


@pytest.mark.parametrize(("stem", "sides"), [("small", (32, 16, 8, 2)), ("imagenet", (16, 8, 4, 1))])
def test_mobilenet_halves_the_image_where_the_paper_does(stem: str, sides: tuple[int, ...]) -> None:
    model = build_model(Spec("mobilenet_v1", {"width": 2, "stem": stem}), (3, 32, 32), 7, seed=0)
    seen = shapes(model, torch.zeros(2, 3, 32, 32), "conv", "layers.1", "layers.3", "layers.12")
    assert seen == [(c, side, side) for c, side in zip((2, 8, 16, 64), sides, strict=True)]


def test_a_separable_convolution_is_a_convolution_of_low_rank() -> None:
    """Depthwise then pointwise is one convolution whose kernel is their product, where norms do nothing."""
    block = SeparableConv(3, 5, 1).double().eval()
    x = torch.rand(2, 3, 6, 6, dtype=torch.float64, generator=generator(1))
    with torch.no_grad():
        block.depthwise.weight.abs_()  # so that the ReLU between them passes everything
        whole = block.pointwise.weight * block.depthwise.weight.permute(1, 0, 2, 3)
        for bn in (block.bn1, block.bn2):
            bn.running_var.fill_(1 - bn.eps)  # type: ignore[union-attr]
        expected = nn.functional.conv2d(x, whole, padding=1).relu()
        torch.testing.assert_close(block(x), expected)


def dense_parameters(number: int, growth: int, first: int, *, bc: bool) -> int:
    total, channels = 9 * 3 * first, first
    for block in range(3):
        if block:
            left = channels // 2 if bc else channels
            total, channels = total + 2 * channels + channels * left, left
        for _ in range(number):
            within = 4 * growth if bc else channels
            total += (2 * channels + channels * within if bc else 0) + 2 * within + 9 * within * growth
            channels += growth
    return total + 2 * channels + (channels + 1) * 10


def test_densenets_have_the_published_number_of_parameters() -> None:
    assert parameters("densenet40") == dense_parameters(12, 12, 16, bc=False) == 1_019_722  # 1.0 M in print
    assert parameters("densenet40", initial=24) == dense_parameters(12, 12, 24, bc=False) == 1_059_298
    assert parameters("densenet") == parameters("densenet40")
    assert parameters("densenet", depth=100) == dense_parameters(32, 12, 16, bc=False)  # 7.0 M in print
    assert round(parameters("densenet", depth=100) / 1e6, 1) == 7.0
    assert parameters("densenet", depth=100, bc=True) == dense_parameters(16, 12, 24, bc=True) == 769_162  # 0.8 M
    # DenseNet-BC with k = 24 and 40: 15.3 M and 25.6 M in print.
    assert round(parameters("densenet", depth=250, growth=24, bc=True) / 1e6, 1) == 15.3
    assert round(parameters("densenet", depth=190, growth=40, bc=True) / 1e6, 1) == 25.6


@pytest.mark.parametrize(("bc", "depth", "convolutions"), [(False, 40, 39), (True, 40, 39), (False, 10, 9)])
def test_a_densenet_is_as_deep_as_its_name(bc: bool, depth: int, convolutions: int) -> None:
    model = build_model(Spec("densenet", {"depth": depth, "growth": 2, "bc": bc}), (3, 8, 8), 7, seed=0)
    assert sum(p.ndim == 4 for p in prunable(model).values()) == convolutions


@pytest.mark.parametrize("bottleneck", [False, True])
def test_a_dense_layer_puts_new_channels_after_the_old(bottleneck: bool) -> None:
    layer = DenseLayer(3, 2, bottleneck=bottleneck).eval()
    x = torch.randn(2, 3, 4, 4, generator=generator(1))
    y = layer(x)
    assert torch.equal(y[:, :3], x)
    assert torch.equal(y[:, 3:], layer.layers(x))
    assert y.shape == (2, 5, 4, 4)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 80, 110, 152])
def test_preactivation_resnets_have_a_resnet_s_weights_but_its_projections_norms(depth: int) -> None:
    name = f"preresnet{depth}"
    without, projected = parameters(name, shortcut="A"), parameters(name)
    # The norm that the stem's was is after the last block, 48 channels wider; the blocks' first norms are narrower
    # by 16 and 32 where the width doubles: as many numbers as the post-activation network has.
    assert without == parameters("cifar_resnet", depth=depth)
    assert projected == without + 16 * 32 + 32 * 64
    assert projected == parameters("cifar_resnet", depth=depth, shortcut="B") - 2 * (32 + 64)
    assert f"{projected:,} parameters, {without:,} with shortcut A" in str(MODELS[name].__doc__)
    assert parameters("preresnet", depth=depth, width=8) == parameters(name, width=8)


@pytest.mark.parametrize(
    ("channels_in", "channels", "stride", "shortcut"), [(3, 3, 1, "B"), (2, 4, 2, "B"), (2, 4, 2, "A")]
)
def test_a_preactivation_block_adds_its_branch_to_its_input_and_nothing_more(
    channels_in: int, channels: int, stride: int, shortcut: str
) -> None:
    block = PreactivationBlock(channels_in, channels, stride, shortcut).eval()  # type: ignore[arg-type]
    x = torch.randn(2, channels_in, 4, 4, generator=generator(1))
    branch = block.conv2(block.bn2(block.conv1(block.bn1(x).relu())).relu())
    if channels_in == channels:
        rest = x
    elif shortcut == "B":
        rest = nn.functional.conv2d(x, block.shortcut.weight, stride=stride)  # type: ignore[union-attr,arg-type]
    else:
        rest = torch.zeros(2, 4, 2, 2)
        rest[:, 1:3] = x[:, :, ::2, ::2]
    torch.testing.assert_close(block(x), branch + rest)
    assert bool((block(x) < 0).any())


def resnext_parameters(blocks: list[int], groups: int, width: int, *, stem: int, classes: int) -> int:
    total, channels = conv_bn(stem, 3, 64), 64
    for stage, number in enumerate(blocks):
        inside, outside = groups * width * 2**stage, 256 * 2**stage
        for block in range(number):
            total += conv_bn(1, channels, inside) + conv_bn(3, inside, inside, groups) + conv_bn(1, inside, outside)
            total += conv_bn(1, channels, outside) if block == 0 else 0
            channels = outside
    return total + (channels + 1) * classes


@pytest.mark.parametrize(
    ("width", "on_imagenet", "on_cifar"),
    [(8, 88_791_336, 86_762_826), (16, 194_026_792, 191_998_282), (48, 828_411_176, 826_382_666)],
)
def test_resnext_101_has_the_published_number_of_parameters(width: int, on_imagenet: int, on_cifar: int) -> None:
    """On the meta device: the largest has 3.3 GB of weights, and is described without one of them."""
    name = f"resnext101_32x{width}d"
    by_hand = resnext_parameters([3, 4, 23, 3], 32, width, stem=7, classes=1000)
    assert parameters(name, (3, 224, 224), 1000) == by_hand == on_imagenet
    assert parameters(name) == on_cifar == on_imagenet - 2049 * 990
    assert parameters(name, stem="small") == resnext_parameters([3, 4, 23, 3], 32, width, stem=3, classes=10)
    assert f"{on_imagenet:,} parameters on ImageNet" in str(MODELS[name].__doc__)


def test_resnext_29_has_the_published_number_of_parameters() -> None:
    """34.4 M and 68.1 M in print, table 7."""
    for groups, total in ((8, 34_426_698), (16, 68_155_210)):
        by_hand = resnext_parameters([3, 3, 3], groups, 64, stem=3, classes=10)
        assert parameters("resnext29", groups=groups) == by_hand == total
    assert parameters("resnext29", group_width=16) == resnext_parameters([3, 3, 3], 8, 16, stem=3, classes=10)


@pytest.mark.parametrize(("name", "groups"), [("resnext29", 8), ("resnext101_32x8d", 32), ("resnext101_32x48d", 32)])
@pytest.mark.parametrize("width", [1, 4])
def test_a_narrow_resnext_has_all_its_groups(name: str, groups: int, width: int) -> None:
    model = build_model(Spec(name, {"width": width}), (3, 32, 32), 7, seed=0)
    blocks = [block for block in model.modules() if isinstance(block, Bottleneck)]
    assert all(block.conv2.groups == groups for block in blocks)
    assert all(block.conv2.in_channels % groups == 0 for block in blocks)
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_groups_of_a_bottleneck_do_not_see_each_other() -> None:
    block = Bottleneck(8, 8, 1, inside=6, groups=3).eval()
    x = torch.rand(1, 6, 5, 5, generator=generator(1))
    other = x.clone()
    other[:, 2:4] += 1
    changed = (block.conv2(x) != block.conv2(other)).flatten(2).any(2).squeeze(0)
    assert changed.tolist() == [False, False, True, True, False, False]


def test_bottlenecks_have_projections() -> None:
    with pytest.raises(TrainingError, match="shortcut must be 'B', got 'A'"):
        ResNet((3, 8, 8), 2, (4, 8), 1, "A", bottleneck=True)


@pytest.mark.parametrize(("depth", "width"), [(20, 8), (20, 32), (20, 64), (20, 96), (20, 128), (32, 16)])
def test_a_preactivation_resnet_learns_in_any_width(depth: int, width: int) -> None:
    """P4's loads: widths of 0.5 to 8 times 16; on the meta device, where nothing is computed."""
    with torch.device("meta"):
        model = MODELS["preresnet"]((3, 32, 32), 100, depth=depth, width=width)
        logits = model(torch.empty(2, 3, 32, 32))
        logits.sum().backward()
    assert logits.shape == (2, 100)
    assert all(p.grad is not None and p.grad.shape == p.shape for p in model.parameters())
    widths = [width] + [width * 2**stage for stage in range(3) for _ in range((depth - 2) // 3)]
    by_hand = 27 * width + sum(9 * a * b for a, b in pairwise(widths)) + (2 + 8) * width * width  # two projections
    assert by_hand == sum(p.numel() for p in prunable(model).values() if p.ndim == 4)


def test_networks_have_the_parameters_that_p4_gives() -> None:
    """0.27 M, 1 M and 20 M in print, appendix C."""
    assert [round(parameters(name) / 1e6, 2) for name in ("preresnet20", "densenet40", "vgg19")] == [0.27, 1.02, 20.04]
