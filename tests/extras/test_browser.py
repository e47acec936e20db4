"""The report in a real browser: it fits a phone, prints, loads nothing from elsewhere and shows its pictures."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from secateurs.cli import app


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("browser") / "study"
    arguments = ["run", "demo", "--scale", "smoke", "--out", str(out), "--workers", "1"]
    app(arguments, standalone_mode=False)
    return out / "report.html"


@pytest.fixture(scope="module")
def browser(absent: Callable[[str], NoReturn]) -> Iterator[Any]:
    try:
        playwright = importlib.import_module("playwright.sync_api")
    except ImportError:
        absent("needs the extra 'browser': pip install 'secateurs[browser]'")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        absent("needs a Chromium on the PATH, e.g. Debian's package chromium")
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    with playwright.sync_playwright() as p:
        started = p.chromium.launch(executable_path=chromium, args=quiet)
        yield started
        started.close()


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_and_needs_nothing_else(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(page_file.as_uri())
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    sizes = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert sizes
    assert all(sizes)
    assert all(page.evaluate("[...document.images].map(image => image.alt.length > 20)"))
    assert [url for url in asked if not url.startswith(("data:", page_file.as_uri()))] == []
    assert faults == []
    page.close()


def test_the_page_prints(browser: Any, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
