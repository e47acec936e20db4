"""Temperatures, loads and what was measured there, as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.core.regimes import TEMPERATURES, Regime
from secateurs.report.curves import Spread
from secateurs.report.regimes.rows import At, Axis, RegimeTerms
from secateurs.report.words import NOTHING, SPACE, listed, number_of, plural

MINUS = "\N{MINUS SIGN}"

REGIMES: dict[Regime, str] = {
    "I": "poorly connected",
    "II-A": "well connected, less similar",
    "II-B": "well connected, similar",
}
"""What the regimes are (P4 section 3.2)."""

HOTTER = "higher temperature"
"""What is said of the way in which temperature rises along an axis."""

_TEMPERATURE = {"epochs": "{} epochs", "batch_size": "batch size {}", "rho": "rho = {}", "lr": "learning rate {}"}


def temperature_value(value: float) -> str:
    """A temperature as the axis shows it.

    >>> temperature_value(10.0), temperature_value(0.05)
    ('10', '0.05')
    """
    return number_of(value)


def temperature_name(axis: Axis, value: float) -> str:
    """A temperature in a sentence.

    >>> temperature_name(Axis("epochs", (10.0,), "epochs"), 10).replace(SPACE, " ")
    '10 epochs'
    >>> temperature_name(Axis("epochs", (1.0,), "epochs"), 1).replace(SPACE, " ")
    '1 epoch'
    """
    shape = "{} epoch" if axis.name == "epochs" and value == 1 else _TEMPERATURE.get(axis.name, f"{axis.name} {{}}")
    return shape.format(temperature_value(value)).replace(" ", SPACE)


def load_value(axis: Axis, value: float) -> str:
    """A load as the axis shows it: density in percent, others as they are.

    >>> load_value(Axis("density", (0.05,), "density"), 0.05), load_value(Axis("width", (0.5,), "width"), 0.5)
    ('5', '0.5')
    """
    return number_of(round(100 * value, 9) if axis.name == "density" else value)


def load_name(axis: Axis, value: float) -> str:
    """A load in a sentence.

    >>> load_name(Axis("density", (0.05,), "density"), 0.05).replace(SPACE, " ")
    'density 5 %'
    """
    unit = " %" if axis.name == "density" else ""
    return f"{axis.name} {load_value(axis, value)}{unit}".replace(" ", SPACE)


def load_names(axis: Axis, values: Sequence[float]) -> str:
    """Some loads in a sentence; not one there says so.

    >>> load_names(Axis("density", (0.05, 0.2), "density"), (0.05, 0.2)).replace(SPACE, " ")
    'densities 5 and 20 %'
    >>> load_names(Axis("depth", (20, 32), "depth"), (20, 32)), load_names(Axis("depth", (20, 32), "depth"), ())
    ('depths 20 and 32', 'none')
    """
    if len(values) < 2:
        return load_name(axis, values[0]) if values else "none"
    several = f"{axis.name[:-1]}ies" if axis.name.endswith("y") else f"{axis.name}s"
    unit = f"{SPACE}%" if axis.name == "density" else ""
    return f"{several} {listed([load_value(axis, each) for each in values])}{unit}"


def axis_label(axis: Axis) -> str:
    """What stands beside an axis.

    >>> axis_label(Axis("density", (0.05,), "density"))
    'density (%)'
    """
    return f"{axis.label} (%)" if axis.name == "density" else axis.label


def hundredths(value: float | None) -> str:
    """LMC or CKA in two digits; what rounds to 0 has no sign.

    >>> hundredths(-0.404), hundredths(-0.001), hundredths(0.95), hundredths(None)
    ('−0.40', '0.00', '0.95', '–')
    """
    if value is None:
        return NOTHING
    text = f"{value:.2f}".replace("-", MINUS)
    return text[1:] if text == f"{MINUS}0.00" else text


def tenths(error: float | None) -> str:
    """An error in percent, or a difference of errors in points, in one digit after the point.

    >>> tenths(0.1234), tenths(-0.0001), tenths(None)
    ('12.3', '0.0', '–')
    """
    if error is None:
        return NOTHING
    text = f"{100 * error:.1f}".replace("-", MINUS)
    return text[1:] if text == f"{MINUS}0.0" else text


def spread_of(spread: Spread | None) -> str:
    """LMC or CKA over seeds, with its standard deviation.

    >>> spread_of(Spread(-0.4, 0.03, 3)), spread_of(Spread(0.9, None, 1)), spread_of(None)
    ('−0.40 ± 0.03', '0.90', '–')
    """
    if spread is None:
        return NOTHING
    return hundredths(spread.mean) + ("" if spread.sd is None else f" ± {spread.sd:.2f}")


def raise_it(axis: Axis) -> str:
    """What raising the temperature is: ``"stop earlier"``."""
    kind = TEMPERATURES.get(axis.name)
    return f"raise {axis.name}" if kind is None else kind.raise_it


def lower_it(axis: Axis) -> str:
    """What lowering the temperature is: ``"train longer"``."""
    kind = TEMPERATURES.get(axis.name)
    return f"lower {axis.name}" if kind is None else kind.lower_it


def when(terms: RegimeTerms, at: At) -> str:
    """When pruned networks were looked at: after how many epochs of retraining.

    >>> when(RegimeTerms(probe_epochs=2), "probe"), when(RegimeTerms(), "end")
    ('after 2 epochs of retraining', 'after 160 epochs of retraining')
    """
    epochs = terms.retrain_epochs if at == "end" or terms.probe_epochs is None else terms.probe_epochs
    text = number_of(epochs)
    return f"after {plural(1, 'epoch') if text == '1' else f'{text} epochs'} of retraining"
