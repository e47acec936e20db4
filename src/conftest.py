"""Doctests of modules whose extra is not installed are left out."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [f"secateurs/integrations/{name}.py" for name in ("lightning", "transformers") if not find_spec(name)]
