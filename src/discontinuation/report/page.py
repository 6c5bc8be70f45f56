"""How a page becomes one HTML file that works without a network."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from discontinuation.report.inline import FigureFiles, inline_svg, natural_width

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **content: Any) -> str:
    """Fill a template, with the style and the script that all pages share.

    Parameters
    ----------
    template
        Its file.
    **content
        What it shows.

    Returns
    -------
    str
        HTML. Everything that comes from data is escaped; the page may not ask for anything.
    """
    environment = Environment(
        loader=PackageLoader("discontinuation", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (TEMPLATES / "document.js").read_text(encoding="utf-8")
    page = environment.get_template(template).render(
        style=Markup((TEMPLATES / "document.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=_content_hash(script),
        **content,
    )
    return page + "\n"


def _content_hash(script: str) -> str:
    """Hash the script for the page's content policy, so that no other script can run."""
    digest = hashlib.sha256(script.encode()).digest()
    return base64.b64encode(digest).decode("ascii")


def show_figure(
    figure: FigureFiles, title: str, text: str, folder: str = "results/figures"
) -> dict[str, Any]:
    """Prepare a figure for the template.

    Parameters
    ----------
    figure
        Its files.
    title, text
        Its caption.
    folder
        Where the files lie among the results.
    """
    return {
        "name": figure.name,
        "title": title,
        "text": text,
        "svg": Markup(inline_svg(figure, f"{title}. {text}")),
        "width": natural_width(figure),
        "downloads": [(name, kind, Markup(address)) for name, kind, address in figure.downloads],
        "file": f"{folder}/{figure.name}.svg",
    }
