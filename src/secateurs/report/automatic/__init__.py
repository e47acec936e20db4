"""The report of one run that pruned itself: when and why, what is left of each layer, what it came to."""

from secateurs.report.automatic.result import AutomaticResult, Channels, Layer
from secateurs.report.automatic.terminal import show_automatic
from secateurs.report.automatic.written import write_automatic

__all__ = ["AutomaticResult", "Channels", "Layer", "show_automatic", "write_automatic"]
