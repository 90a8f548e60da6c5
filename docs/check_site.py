"""Check a built site: links lead somewhere, each page can be reached, and nothing is loaded from another host.

The strict build checks links between pages only, not those to pictures and other files. Usage: `check_site.py site`.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin

ROOT: Final = "http://host/site/"


class Page(HTMLParser):
    """The anchors of a page, its links, and what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors, self.links, self.loads = {""}, set[str](), set[str]()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take what an element has."""
        found = {name: value for name, value in attributes if value}
        self.anchors.add(found.get("id", ""))
        targets = self.links if tag == "a" or found.get("rel") in {"canonical", "prev", "next"} else self.loads
        targets.update(found[name] for name in ("href", "src") if name in found)


def wrong_with(site: Path) -> list[str]:
    """Return a line for each thing that is wrong."""
    pages = {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html")}
    del pages["404.html"]  # it may stand for any address, so its links begin at the host
    wrong, reached = list[str](), {"index.html"}
    for name, page in pages.items():
        for link in sorted(page.links | page.loads):
            url, _, anchor = urljoin(ROOT + name.removesuffix("index.html"), link).partition("#")
            file = unquote(url.removeprefix(ROOT))
            file += "index.html" if not file or file.endswith("/") else ""
            if file != name:
                reached.add(file)
            if not url.startswith("http://host/"):
                wrong += [f"{name} loads {link} from another host"] if link in page.loads else []
            elif not (site / file).is_file() or (file in pages and unquote(anchor) not in pages[file].anchors):
                wrong.append(f"{name}: {link} leads nowhere")
    return wrong + [f"{name}: no page leads here" for name in pages if name not in reached]


if __name__ == "__main__":
    sys.exit("\n".join(wrong_with(Path(sys.argv[1]))) or 0)
