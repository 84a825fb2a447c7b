"""The hooks of the documentation's site: whole folders in the navigation, links to the repository, its own Mermaid."""

import re
import shutil
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

INDEX = "README.md"
#: Draws the diagrams of a page that has some. The theme would ask a server elsewhere for it.
MERMAID = Path(__file__).parents[1] / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"
DIAGRAM = 'class="mermaid"'
LINK = re.compile(r"\]\((?P<target>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_config(config: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The configuration with the pages of a folder, its index first, where the navigation names the folder."""
    docs = Path(config["docs_dir"])
    config["nav"] = [
        {title: pages_in(docs, pages) if isinstance(pages, str) and pages.endswith("/") else pages}
        for entry in config["nav"]
        for title, pages in entry.items()
    ]
    return config


def on_page_markdown(markdown: str, page: Any, config: MutableMapping[str, Any], files: object) -> str:
    """The page with its links to files outside docs/ turned into links to the repository."""
    del files
    return outward(markdown, page=Path(page.file.src_uri), repository=config["extra"]["repository"])


def on_post_page(output: str, page: Any, config: MutableMapping[str, Any]) -> str:
    """The page, with the script that draws its diagrams before those of the theme."""
    del config
    if DIAGRAM not in output:
        return output
    root = "../" * page.url.count("/")
    return output.replace("</head>", f'<script src="{root}{MERMAID.name}"></script></head>', 1)


def on_post_build(config: MutableMapping[str, Any]) -> None:
    """Put the script into the site."""
    shutil.copyfile(MERMAID, Path(config["site_dir"]) / MERMAID.name)


def pages_in(docs: Path, folder: str) -> list[str]:
    """The pages of a folder, as the navigation wants them."""
    names = sorted((path.name for path in (docs / folder).glob("*.md")), key=lambda name: (name != INDEX, name))
    return [f"{folder}{name}" for name in names]


def outward(markdown: str, *, page: Path, repository: str) -> str:
    """The text with each link that leaves docs/ from `page`, a path in docs/, replaced by one to the repository."""

    def replace(match: re.Match[str]) -> str:
        parts = [*page.parent.parts]
        steps = match["target"].split("/")
        while steps and steps[0] == "..":
            if not parts:
                return f"]({repository}/blob/main/{'/'.join(steps[1:])}{match['anchor'] or ''})"
            parts.pop()
            steps.pop(0)
        return match[0]

    return LINK.sub(replace, markdown)
