"""Where is a draft written, and what is there to do with it?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from discontinuation.ingest.declaration import NAME
from discontinuation.ingest.draft.declare import draft_declaration
from discontinuation.problems import Problem, refuse

DATASETS = Path("config") / "datasets"


def write_draft(name: str, paths: Sequence[Path], folder: Path) -> Path:
    """Write the draft of a dataset's declaration; nothing is overwritten.

    Parameters
    ----------
    name
        Name of the dataset: small letters, digits and '_', first a letter.
    paths
        Its files.
    folder
        Where declarations are; made if it does not exist.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    InvalidInput
        If the name is not one, or a file cannot be read.
    FileExistsError
        If there is a declaration of this name.
    """
    if not NAME.fullmatch(name):
        message = "allowed as a name: small letters, digits and '_', first a letter"
        refuse([Problem("discontinuation new", message, value=name)])
    target = folder / f"{name}.yaml"
    if target.exists():
        raise FileExistsError(f"{target} exists already and is left as it is")
    text = draft_declaration(name, paths)
    folder.mkdir(parents=True, exist_ok=True)
    with target.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
    return target


def new_command(name: str, files: Sequence[Path]) -> str:
    """Draft a dataset in config/datasets and say what to do next.

    Raises
    ------
    InvalidInput, FileExistsError
        As `write_draft`.
    """
    target = write_draft(name, files, DATASETS)
    text = target.read_text(encoding="utf-8")
    guesses = sum(line.strip() == "confirm: true" for line in text.splitlines())
    return "\n".join(
        [
            f"wrote {target}",
            f"It holds {guesses} guesses, each with its reason and three values. Look at each, "
            "correct it, and delete its line 'confirm: true'.",
            "Fill what is blank: title, licence, citation, and what no file tells of the studies.",
            "The columns that were not used are listed at its end.",
            f"Then: discontinuation check {name}",
        ]
    )
