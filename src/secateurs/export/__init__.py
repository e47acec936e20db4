"""Networks for others: files that build them again, ONNX models, exported programs, sparse formats.

Everything here takes masked networks (zeros in place) and cut ones, checks what it wrote, and writes whole files or
none. ONNX needs the extra ``export`` (``pip install 'secateurs[export]'``); importing this package does not.
"""

from secateurs.export.agreement import Exported
from secateurs.export.csr import Csr, load_csr, read_csr, save_csr, to_csr
from secateurs.export.network import load_network, save_network
from secateurs.export.onnx_model import to_onnx
from secateurs.export.program import to_exported_program
from secateurs.export.sparse_linear import SparseLinear, sparse_linear
from secateurs.export.two_of_four import is_two_of_four, semi_structured, two_of_four

__all__ = [
    "Csr",
    "Exported",
    "SparseLinear",
    "is_two_of_four",
    "load_csr",
    "load_network",
    "read_csr",
    "save_csr",
    "save_network",
    "semi_structured",
    "sparse_linear",
    "to_csr",
    "to_exported_program",
    "to_onnx",
    "two_of_four",
]
