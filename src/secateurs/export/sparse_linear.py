"""Linear layers that compute with their kept weights alone, for inference on CPUs."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from secateurs.core import ExportError
from secateurs.export.csr import to_csr
from secateurs.export.states import checked_mask
from secateurs.pruner.wrappers import bare


class SparseLinear(nn.Module):
    """A Linear layer over compressed sparse rows: ``x W' + b`` as ``torch.sparse.mm(W, x')``. It has no gradients.

    ``F.linear`` takes sparse weights as well, and is far slower with them. Whether this is faster than the dense layer
    depends on density, sizes and machine: measure (``benchmarks/sparse_formats.py``).

    Args:
        linear: the masked layer.
        kept: bools of its weight's shape; None: the weights that are not 0.

    >>> net = nn.Linear(4, 2)
    >>> with torch.no_grad():
    ...     _ = net.weight.mul_(torch.eye(2, 4))
    >>> torch.allclose(SparseLinear(net)(torch.ones(3, 5, 4)), net(torch.ones(3, 5, 4)))
    True
    """

    values: Tensor
    columns: Tensor
    rows: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear, kept: Tensor | None = None) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        matrix = to_csr(linear.weight, linear.weight != 0 if kept is None else kept)
        matrix.to_torch()  # torch warns of its sparse tensors once, and here it is not heard
        for name in ("values", "columns", "rows"):  # torch's sparse tensors cannot be copied with a module
            self.register_buffer(name, getattr(matrix, name).to(linear.weight.device))
        self.register_buffer("bias", None if linear.bias is None else linear.bias.detach().clone())

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """``[..., in_features]`` to ``[..., out_features]``."""
        size = (self.out_features, self.in_features)
        weight = torch.sparse_csr_tensor(self.rows, self.columns, self.values, size, check_invariants=False)
        columns = x.reshape(-1, self.in_features).T
        if self.bias is None:
            out: Tensor = torch.sparse.mm(weight, columns)
        else:
            out = torch.addmm(self.bias[:, None].expand(-1, columns.shape[1]), weight, columns)
        return out.T.reshape(*x.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        """Sizes, and the share of weights kept."""
        density = self.values.numel() / max(1, self.in_features * self.out_features)
        return f"{self.in_features}, {self.out_features}, density={density:.3g}, bias={self.bias is not None}"


def sparse_linear(model: nn.Module, mask: Mapping[str, Tensor], *, density: float = 0.1) -> nn.Module:
    """A copy of a masked network, in evaluation mode, whose Linear layers are :class:`SparseLinear` where that may pay.

    Args:
        model: the network with the mask applied; it stays as it is.
        mask: which weights are kept.
        density: layers that keep at most this share of their weights are replaced.

    Raises:
        ExportError: when the mask is of another network, weights that it drops are not 0, or no layer is sparse enough.

    >>> from secateurs.how import Mask
    >>> net, mask = nn.Sequential(nn.Linear(20, 2)), Mask({"0.weight": torch.eye(2, 20)})
    >>> with torch.no_grad():
    ...     _ = net[0].weight.mul_(mask["0.weight"])
    >>> sparse_linear(net, mask)
    Sequential(
      (0): SparseLinear(20, 2, density=0.05, bias=True)
    )
    """
    model = bare(model)
    checked_mask(mask, dict(model.state_dict()))
    chosen = {
        name: SparseLinear(layer, mask[f"{name}.weight"])
        for name, layer in model.named_modules()
        if type(layer) is nn.Linear
        and f"{name}.weight" in mask
        and float(mask[f"{name}.weight"].float().mean()) <= density
    }
    if not chosen:
        raise ExportError(f"no Linear layer of the model has a density of {density:g} or less in this mask")
    found = copy.deepcopy(model).eval()
    for name, layer in chosen.items():
        parent, _, own = name.rpartition(".")
        setattr(found.get_submodule(parent), own, layer)
    return found
