"""Makes the pictures beside it: what commands leave on the screen, as SVG that loads nothing from elsewhere."""

import io
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from docs.test_terminal_docs import COLUMNS, JOBS, PICTURES, Terminal, served

_WIDEST: Final = 112  # columns; what is wider is wrapped at a hundred
#: rich's own format names a font of another site, which a picture in a README could not load.
_FORMAT: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>COMMAND</title>
<style>
.{unique_id}-matrix {{
    font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
    font-size: {char_height}px;
    line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/></clipPath>
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture(terminal: Terminal, name: str) -> str:
    """Run a command, and return what is left on the screen."""
    arguments = {"assess": ["ann.wav"], "wait": [*JOBS][:3]}.get(name, [])
    command = " ".join(["metastudio", name, *arguments])
    lines, _ = terminal.run(command)
    shown = Text.from_ansi("\n".join(lines).strip("\n"))
    width = max(COLUMNS, *(line.cell_len for line in shown.split() if line.cell_len <= _WIDEST))
    console = Console(record=True, width=width, file=io.StringIO(), highlight=False)
    console.print(Text(f"$ {command}", "bold"))
    console.print(shown)
    svg = console.export_svg(title="", code_format=_FORMAT.replace("COMMAND", command), unique_id=name)
    # A text for each end of a line, and a clip path for each line but the last: nothing is wider than the terminal.
    return re.sub(r'<text [^>]*>\n</text>| clip-path="[^"]*-line-\d+\)"|[ \n]+(?=\n)', "", svg) + "\n"


def main() -> None:
    """Write all of them."""
    with served() as terminal:
        for name in PICTURES:
            Path(__file__).with_name(f"{name}.svg").write_text(picture(terminal, name), "utf-8")


if __name__ == "__main__":
    main()
