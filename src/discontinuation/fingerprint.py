"""Know which code made which result."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent
PACKAGE = ROOT.name


def source_digest(*names: str) -> str:
    """Fingerprint modules of this package together with all they import from it.

    A workflow engine reruns a job when its script changes but does not look into the package
    behind the script. Given as a parameter, this digest lets it see.

    Parameters
    ----------
    *names
        Modules ("synthesis.pooling") or data files ("report/page.html").

    Raises
    ------
    FileNotFoundError
        If a name is misspelt.
    """
    files: set[Path] = set()
    waiting = [_named_file(name) for name in names]
    while waiting:
        file = waiting.pop()
        if file in files:
            continue
        files.add(file)
        if file.suffix == ".py":
            waiting += _imported_files(file)
    digest = hashlib.sha256()
    for file in sorted(files):
        # Line ends differ between checkouts; the code does not.
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def _named_file(name: str) -> Path:
    if Path(name).suffix in (".html", ".css", ".js", ".yaml", ".json"):
        file = ROOT / name
    else:
        file = _module_file(name)
    if not file.exists():
        raise FileNotFoundError(f"{PACKAGE} has no module or file {name!r}")
    return file


def _module_file(name: str) -> Path:
    folder = ROOT / name.replace(".", "/")
    return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")


def _imported_files(file: Path) -> list[Path]:
    """Locate the modules of this package that a file imports, anywhere in it."""
    modules = _imported_modules(file.read_text(encoding="utf-8"))
    files = [_module_file(module.partition(".")[2]) for module in modules]
    return [file for file in files if file.exists()]


@cache  # by text: many results rest on the same files
def _imported_modules(text: str) -> tuple[str, ...]:
    modules: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            modules.append(str(node.module))
            modules += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            modules += [a.name for a in node.names if a.name.split(".")[0] == PACKAGE]
    return tuple(modules)
