"""Pages as tests read them."""

from __future__ import annotations

from html.parser import HTMLParser

from secateurs.report.words import SPACE

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that every element is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def plain(text: str) -> str:
    """Text with the spaces and signs of a keyboard."""
    return text.replace(SPACE, " ").replace("\N{MINUS SIGN}", "-")
