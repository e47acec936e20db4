"""Every network: its number of parameters by hand, its options, its purity."""

from __future__ import annotations

import inspect
from itertools import pairwise

import pytest
import torch

from secateurs.core import Spec, TrainingError, prunable
from secateurs.zoo import MODELS, build_model
from zoo_specs import small


def parameters(name: str, input_shape: tuple[int, ...] = (3, 32, 32), num_classes: int = 10, **options: object) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in MODELS[name](input_shape, num_classes, **options).parameters())


def test_lenet_300_100_has_the_published_number_of_parameters() -> None:
    assert parameters("lenet_300_100", (1, 28, 28)) == 785 * 300 + 301 * 100 + 101 * 10 == 266_610


@pytest.mark.parametrize(
    ("name", "pairs", "side", "total"),
    [
        ("conv_2", 1, 16, 4_301_642),
        ("conv_4", 2, 8, 2_425_930),
        ("conv_6", 3, 4, 2_262_602),
        ("conv_8", 4, 2, 5_278_282),
    ],
)
def test_conv_networks_have_the_number_of_parameters_that_their_layers_make(
    name: str, pairs: int, side: int, total: int
) -> None:
    channels = [3] + [64 * 2**pair for pair in range(pairs) for _ in range(2)]
    convolutions = sum((9 * a + 1) * b for a, b in pairwise(channels))
    classifier = (side * side * channels[-1] + 1) * 256 + 257 * 256 + 257 * 10
    assert parameters(name) == convolutions + classifier == total
    assert f"{total:,} parameters on CIFAR-10" in str(MODELS[name].__doc__)


def resnet_parameters(widths: list[int], blocks: int, *, projections: bool, classes: int = 10) -> int:
    """Convolutions without bias, two numbers per channel of each batch normalisation, a classifier with bias."""

    def conv_bn(kernel: int, a: int, b: int) -> int:
        return kernel * kernel * a * b + 2 * b

    total, before = conv_bn(3, 3, widths[0]), widths[0]
    for width in widths:
        total += conv_bn(3, before, width) + (2 * blocks - 1) * conv_bn(3, width, width)
        total += conv_bn(1, before, width) if projections and before != width else 0
        before = width
    return total + (before + 1) * classes


@pytest.mark.parametrize(
    ("depth", "option_a", "option_b", "millions"),
    [
        (20, 269_722, 272_474, 0.27),
        (32, 464_154, 466_906, 0.46),
        (44, 658_586, 661_338, 0.66),
        (56, 853_018, 855_770, 0.85),
        (110, 1_727_962, 1_730_714, 1.7),
    ],
)
def test_cifar_resnets_have_the_published_number_of_parameters(
    depth: int, option_a: int, option_b: int, millions: float
) -> None:
    blocks = (depth - 2) // 6
    name = f"resnet{depth}"
    assert parameters(name) == resnet_parameters([16, 32, 64], blocks, projections=False) == option_a
    assert parameters(name, shortcut="B") == resnet_parameters([16, 32, 64], blocks, projections=True) == option_b
    assert parameters("cifar_resnet", depth=depth) == option_a
    assert round(option_a / 1e6, 1 if depth == 110 else 2) == millions
    assert f"{option_a:,} parameters with shortcut A, {option_b:,} with B ({millions} M in" in str(MODELS[name].__doc__)


def test_resnet18_has_the_published_number_of_parameters() -> None:
    assert parameters("resnet18") == resnet_parameters([64, 128, 256, 512], 2, projections=True) == 11_173_962
    # As torchvision's: a stem of 7 x 7 in place of 3 x 3, and a classifier of 1,000.
    assert parameters("resnet18_imagenet", (3, 224, 224), 1000) == 11_689_512
    assert parameters("resnet18_imagenet", num_classes=1000) == 11_173_962 + 40 * 3 * 64 + 513 * 990


@pytest.mark.parametrize(
    ("depth", "widen", "total"), [(14, 8, 11_093_130), (14, 10, 17_327_530), (20, 8, 17_289_866), (32, 2, 1_860_522)]
)
def test_wide_resnets_are_the_cifar_network_of_p2_s_depth(depth: int, widen: int, total: int) -> None:
    widths = [16 * widen, 32 * widen, 64 * widen]
    blocks = (depth - 2) // 6
    assert parameters("wide_resnet", depth=depth, widen=widen) == total
    assert resnet_parameters(widths, blocks, projections=True) == total
    without = parameters("wide_resnet", depth=depth, widen=widen, shortcut="A")
    assert without == resnet_parameters(widths, blocks, projections=False)


def test_resnet50_has_torchvision_s_number_of_parameters() -> None:
    assert parameters("resnet50", (3, 224, 224), 1000) == 25_557_032
    # A stem of 3 x 3 has 40 weights fewer for each channel of its input and output.
    assert parameters("resnet50", (3, 64, 64), 1000, stem="small") == 25_557_032 - 40 * 3 * 64


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 1), ("small", 4)])
def test_the_stem_of_imagenet_makes_images_four_times_as_small(stem: str, side: int) -> None:
    model = build_model(Spec("resnet50", {"width": 4, "stem": stem}), (3, 32, 32), 10, seed=0)
    seen: list[tuple[int, ...]] = []
    model.get_submodule("blocks").register_forward_hook(lambda *_: seen.append(tuple(_[2].shape)))
    model(torch.zeros(2, 3, 32, 32))
    assert seen == [(2, 4 * 32, side, side)]


def test_a_bottleneck_is_its_shortcut_where_its_branch_gives_nothing() -> None:
    from secateurs.zoo.models import Bottleneck

    x = torch.rand(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    same, other = Bottleneck(8, 8, 1).eval(), Bottleneck(8, 8, 2).eval()
    for block in (same, other):
        torch.nn.init.zeros_(block.bn3.weight)
    assert torch.equal(same(x), x)
    assert same.shortcut is None
    assert other.shortcut is not None
    assert torch.equal(other(x), other.shortcut(x).relu())


@pytest.mark.parametrize("name", [name for name in MODELS if "bn_scale" in inspect.signature(MODELS[name]).parameters])
def test_uniform_scales_are_drawn_after_everything_else(name: str) -> None:
    """P2's networks have the weights of the others, and scales of batch normalisation from U(0, 1)."""
    one, uniform = (
        build_model(small(name, bn_scale=scale), (3, 32, 32), 7, seed=3).state_dict() for scale in ("one", "uniform")
    )
    scales = {key for key in one if key.endswith(".running_mean")}
    scales = {key.replace("running_mean", "weight") for key in scales}
    assert scales
    assert all(torch.equal(one[key], uniform[key]) for key in one.keys() - scales)
    drawn = torch.cat([uniform[key] for key in sorted(scales)])
    assert 0 <= float(drawn.min()) < float(drawn.max()) < 1
    assert float(drawn.mean()) == pytest.approx(0.5, abs=3 / (12 * len(drawn)) ** 0.5)
    again = build_model(small(name, bn_scale="uniform"), (3, 32, 32), 7, seed=3).state_dict()
    assert all(torch.equal(again[key], value) for key, value in uniform.items())


def test_vgg2_16_has_a_hidden_layer_before_its_classifier() -> None:
    assert parameters("vgg16", fully_connected=2) == parameters("vgg16") + 513 * 512 == 14_986_698
    model = build_model(Spec("vgg16", {"width": 2, "fully_connected": 2}), (3, 32, 32), 7, seed=0)
    assert [tuple(p.shape) for p in prunable(model).values() if p.ndim == 2] == [(16, 16), (7, 16)]


@pytest.mark.parametrize(
    ("depth", "stages", "total"),
    [
        (11, (1, 1, 2, 2, 2), 9_228_362),
        (13, (2, 2, 2, 2, 2), 9_413_066),
        (16, (2, 2, 3, 3, 3), 14_724_042),
        (19, (2, 2, 4, 4, 4), 20_035_018),
    ],
)
def test_vggs_have_the_number_of_parameters_that_their_layers_make(
    depth: int, stages: tuple[int, ...], total: int
) -> None:
    widths = (64, 128, 256, 512, 512)
    channels = [3] + [width for width, times in zip(widths, stages, strict=True) for _ in range(times)]
    convolutions = sum(9 * a * b + 2 * b for a, b in pairwise(channels))
    assert len(channels) - 1 + 3 == depth  # the name counts three fully connected layers, of which one is left
    assert parameters(f"vgg{depth}") == convolutions + 513 * 10 == total
    assert f"{total:,} parameters on CIFAR-10" in str(MODELS[f"vgg{depth}"].__doc__)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_learns_from_a_batch_with_all_its_weights(name: str) -> None:
    model = build_model(small(name), (3, 32, 32), 7, seed=0)
    logits = model(torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert logits.shape == (3, 7)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 3, 6])).backward()
    for parameter, tensor in model.named_parameters():
        assert tensor.grad is not None, parameter
        assert tensor.grad.isfinite().all(), parameter
        assert tensor.grad.abs().sum() > 0, parameter
    assert all(torch.all(m.weight == 1) for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d))


@pytest.mark.parametrize("name", MODELS)
def test_every_option_of_a_network_can_be_a_recipe_field(name: str) -> None:
    _, _, *options = inspect.signature(MODELS[name]).parameters.values()
    for option in options:
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        assert option.annotation is not option.empty


@pytest.mark.parametrize("name", ["conv_4", "vgg11", "resnet18"])
def test_initial_weights_follow_from_the_seed_alone_and_have_kaimings_variance(name: str) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    options = {"width": 16}
    first = build_model(Spec(name, options), (3, 32, 32), 10, seed=5).state_dict()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(2)
    again = build_model(Spec(name, options), (3, 32, 32), 10, seed=5)
    other = build_model(Spec(name, options), (3, 32, 32), 10, seed=6).state_dict()
    assert all(torch.equal(first[key], value) for key, value in again.state_dict().items())
    for key, weight in prunable(again).items():
        assert not torch.equal(weight, other[key])
        if weight.numel() > 4000:
            assert float(weight.detach().var() * weight[0].numel()) == pytest.approx(2, rel=0.15)


def test_shortcut_a_is_every_second_pixel_between_zero_channels() -> None:
    from secateurs.zoo.models import BasicBlock

    block = BasicBlock(2, 4, 2, "A").eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(1, 2, 4, 4)
    y = block(x)
    assert torch.equal(y[:, 1:3], x[:, :, ::2, ::2])
    assert not y[:, [0, 3]].any()


def test_width_scales_the_prunable_weights_about_quadratically() -> None:
    full = parameters("vgg16")
    assert parameters("vgg16", width=32) / full == pytest.approx(1 / 4, rel=0.01)
    assert parameters("resnet20", width=32) / parameters("resnet20") == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(
    ("spec", "input_shape", "message"),
    [
        (Spec("vgg16"), (1, 28, 28), r"VGG-16 halves its input 5 times .* at least 32 x 32, got 28 x 28.*`size`"),
        (Spec("conv_6"), (1, 4, 4), "Conv-6 halves its input 3 times"),
        (Spec("conv_8"), (1, 8, 8), "Conv-8 halves its input 4 times .* at least 16 x 16, got 8 x 8"),
        (Spec("inception_v3"), (3, 74, 80), r"stem 'imagenet' needs images .* 75 x 75, got 74 x 80: .* stem to small"),
        (Spec("inception_v3", {"stem": "small"}), (3, 6, 8), r"of at least 7 x 7, got 6 x 8: .*`enlarge`\)$"),
        (Spec("inception_v3", {"stem": "none"}), (3, 32, 32), "stem must be 'small' or 'imagenet', got 'none'"),
        (Spec("inception_v3", {"width": 0}), (3, 99, 99), "width must be at least 1, got 0"),
        (Spec("cifar_resnet", {"depth": 21}), (3, 32, 32), r"depth must be 6 n \+ 2 .*, got 21"),
        (Spec("cifar_resnet", {"depth": 2}), (3, 32, 32), "got 2"),
        (Spec("resnet20", {"shortcut": "C"}), (3, 32, 32), "shortcut must be 'A' or 'B', got 'C'"),
        (Spec("resnet18", {"width": 0}), (3, 32, 32), "width must be at least 1, got 0"),
        (Spec("vgg11", {"width": -1}), (3, 32, 32), "width must be at least 1"),
        (Spec("vgg11", {"fully_connected": 3}), (3, 32, 32), "fully_connected must be 1 or 2, got 3"),
        (Spec("vgg11", {"bn_scale": "normal"}), (3, 32, 32), "bn_scale must be 'one' or 'uniform', got 'normal'"),
        (Spec("resnet50", {"stem": "large"}), (3, 32, 32), "stem must be 'small' or 'imagenet', got 'large'"),
        (Spec("wide_resnet", {"widen": 0}), (3, 32, 32), "widen must be at least 1, got 0"),
        (Spec("wide_resnet", {"depth": 16}), (3, 32, 32), r"depth must be 6 n \+ 2 .*, got 16"),
        (Spec("mobilenet_v1", {"stem": "none"}), (3, 32, 32), "stem must be 'small' or 'imagenet', got 'none'"),
        (Spec("mobilenet_v1", {"width": 0}), (3, 32, 32), "width must be at least 1, got 0"),
        (Spec("preresnet", {"depth": 22}), (3, 32, 32), r"preresnet: depth must be 6 n \+ 2 .*, got 22"),
        (Spec("preresnet20", {"shortcut": "C"}), (3, 32, 32), "shortcut must be 'A' or 'B', got 'C'"),
        (Spec("preresnet20", {"width": 0}), (3, 32, 32), "width must be at least 1, got 0"),
        (Spec("densenet", {"depth": 41}), (3, 32, 32), r"densenet: depth must be 3 n \+ 4 .*, got 41"),
        (Spec("densenet", {"depth": 13, "bc": True}), (3, 32, 32), r"depth must be 6 n \+ 4 .*, got 13"),
        (Spec("densenet40", {"growth": 0}), (3, 32, 32), "growth must be at least 1, got 0"),
        (Spec("densenet40", {"initial": 0}), (3, 32, 32), "initial must be at least 1, got 0"),
        (Spec("densenet40"), (1, 3, 8), "DenseNet halves its input 2 times .* at least 4 x 4, got 3 x 8"),
        (Spec("resnext29", {"groups": 0}), (3, 32, 32), "groups must be at least 1, got 0"),
        (Spec("resnext101_32x8d", {"width": 0}), (3, 32, 32), "width must be at least 1, got 0"),
        (Spec("digits_resnet", {"stages": 0}), (1, 8, 8), "stages must be at least 1"),
        (Spec("resnet21"), (3, 32, 32), "no network is named 'resnet21'; choices: .*did you mean 'resnet"),
    ],
)
def test_what_makes_no_network_is_refused(spec: Spec, input_shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        build_model(spec, input_shape, 10, seed=0)
