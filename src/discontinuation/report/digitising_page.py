"""How does a reader get the points of a printed curve, without sending the figure anywhere?"""

from __future__ import annotations

from pathlib import Path

from discontinuation.problems import Problem, refuse

PAGE = Path(__file__).parent / "templates" / "digitise.html"


def write_digitising_page(path: Path | str) -> Path:
    """Write the page in which a figure is digitised: one file that needs nothing else.

    Parameters
    ----------
    path
        Where to, ending in .html; folders are made.

    Returns
    -------
    Path
        What was written. Opened in a browser it loads an image, takes two points of each axis,
        clicks on the curves and the risk table, and saves the JSON file that
        `synthesis.read_clicks` reads.

    Raises
    ------
    InvalidInput
        A path with another ending, which a browser would not open.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        refuse([Problem("digitising page", "allowed: a file ending in .html", value=str(path))])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PAGE.read_bytes())
    return path
