"""Put a figure into the page: drawn in place, and both of its files to take away."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
DRAWN = frozenset(
    [
        "svg",
        "g",
        "defs",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
        "text",
        "tspan",
        "use",
        "clipPath",
        "marker",
        "linearGradient",
        "radialGradient",
        "stop",
        "pattern",
        "mask",
        "image",
        "title",
        "desc",
        "style",
        "symbol",
    ]
)
REFERENCES = (f"{{{XLINK}}}href", "href")


@dataclass(frozen=True)
class FigureFiles:
    """The two files of a figure."""

    name: str
    svg: bytes
    png: bytes

    @classmethod
    def read(cls, svg: str | Path, png: str | Path) -> FigureFiles:
        """Read both files; the figure is called by the name they share."""
        return cls(Path(svg).stem, Path(svg).read_bytes(), Path(png).read_bytes())

    @classmethod
    def read_all(cls, folder: str | Path) -> list[FigureFiles]:
        """Read both files of every figure in a folder."""
        drawn = sorted(Path(folder).glob("*.svg"))
        return [cls.read(svg, svg.with_suffix(".png")) for svg in drawn]

    @property
    def downloads(self) -> list[tuple[str, str, str]]:
        """Name, ending and data address of each file."""
        return [
            (f"{self.name}.svg", "SVG", _data("image/svg+xml", self.svg)),
            (f"{self.name}.png", "PNG", _data("image/png", self.png)),
        ]


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def inline_svg(figure: FigureFiles, label: str) -> str:
    """Make a figure's SVG fit to stand in the page beside others.

    Parameters
    ----------
    figure
        Its files.
    label
        What it shows, for those who cannot see it.

    Returns
    -------
    str
        The `svg` element: identifiers prefixed with the figure's name, styles confined to it,
        nothing that runs or asks for anything, the size left to the page.
    """
    root = ElementTree.fromstring(figure.svg)
    prefix = f"figure-{figure.name}-"
    _strip(root)
    for element in root.iter():
        _prefix_identifiers(element, prefix)
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    root.set("id", prefix + "svg")
    root.set("role", "img")
    root.set("aria-label", label)
    for style in root.iter(f"{{{SVG}}}style"):
        style.text = _confined(style.text or "", f"#{prefix}svg")
    return _serialised(root)


def natural_width(figure: FigureFiles) -> int:
    """Width at which the figure was drawn, CSS pixels."""
    width = ElementTree.fromstring(figure.svg).get("width", "")
    number = re.match(r"[\d.]+", width)
    scale = 96 / 72 if width.endswith("pt") else 1
    return round(float(number[0]) * scale) if number else 720


def _strip(element: ElementTree.Element) -> None:
    """Remove everything that is not drawing: scripts, links, foreign content, metadata."""
    for child in list(element):
        name = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if name in DRAWN and child.tag.startswith(f"{{{SVG}}}"):
            _strip(child)
        else:
            element.remove(child)
    for name, value in list(element.attrib.items()):
        outward = name in REFERENCES and not value.startswith(("#", "data:image/"))
        if name.lower().startswith("on") or outward:
            del element.attrib[name]


def _prefix_identifiers(element: ElementTree.Element, prefix: str) -> None:
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, prefix + value)
        elif name in REFERENCES and value.startswith("#"):
            element.set(name, f"#{prefix}{value[1:]}")
        elif "url(" in value:
            element.set(name, re.sub(r"url\(#", f"url(#{prefix}", value))


def _confined(style: str, scope: str) -> str:
    """Confine a stylesheet to one figure; drop what could ask for a file."""
    rules = re.findall(r"([^{}@]+)\{([^{}]*)\}", style)
    return "".join(
        f"{scope} {selector.strip()}{{{body.strip()}}}"
        for selector, body in rules
        if "url" not in body
    )


def _serialised(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode").strip()
