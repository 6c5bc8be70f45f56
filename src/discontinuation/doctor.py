"""Is this installation sound?"""

from __future__ import annotations

import locale
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import discontinuation
from discontinuation.fingerprint import ROOT

PROJECT = ROOT.parents[1]
NEEDED_GIB = 2.0
SHOWN = (
    "snakemake",
    "pandas",
    "numpy",
    "scipy",
    "statsmodels",
    "lifelines",
    "pyarrow",
    "matplotlib",
)

Finding = tuple[bool, str, str]  # sound, what, what was found


def examine(project: Path = PROJECT) -> list[Finding]:
    """Examine versions, lock agreement, locale, disk, and compute one known result.

    Returns
    -------
    list of (bool, str, str)
        Whether it is sound, what was examined, and what was found.
    """
    checks: list[Callable[[Path], Iterator[Finding]]] = [
        _versions,
        _lock,
        _locale,
        _disk,
        _evidence,
        _known_result,
    ]
    return [finding for check in checks for finding in check(project)]


def _versions(project: Path) -> Iterator[Finding]:
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield supported, "Python", f"{sys.version.split()[0]} on {platform.platform()}"
    yield True, "discontinuation", f"{discontinuation.__version__}"
    for name in SHOWN:
        try:
            yield True, name, version(name)
        except PackageNotFoundError:
            yield False, name, "not installed"


def _lock(project: Path) -> Iterator[Finding]:
    path = project / "requirements.lock"
    if not path.exists():
        yield False, "lock file", "requirements.lock was not found beside the package"
        return
    wanted = locked_versions(path.read_text(encoding="utf-8"))
    differing = []
    for name, versions in wanted.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            continue  # needed on another platform only
        if found not in versions:
            differing.append(f"{name} {found} instead of {' or '.join(sorted(versions))}")
    agreed = f"{len(wanted)} packages agree"
    yield not differing, "lock file", "; ".join(differing) if differing else agreed


def locked_versions(text: str) -> dict[str, set[str]]:
    """Read a lock file: the versions of each package, several where platforms differ."""
    locked: dict[str, set[str]] = {}
    for name, number in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE):
        locked.setdefault(name.lower(), set()).add(number)
    return locked


def _locale(project: Path) -> Iterator[Finding]:
    encoding = locale.getpreferredencoding(False)
    mode = "UTF-8 mode is on" if sys.flags.utf8_mode else "UTF-8 mode is off"
    sound = sys.flags.utf8_mode == 1 or encoding.lower().replace("-", "") == "utf8"
    yield sound, "locale", f"{encoding}, {mode} (reproduce.py turns it on)"


def _disk(project: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(project).free / 2**30
    yield free >= NEEDED_GIB, "disk", f"{free:.1f} GiB free, {NEEDED_GIB:g} GiB needed"


def _evidence(project: Path) -> Iterator[Finding]:
    from discontinuation.ingest.evidence import read_collection
    from discontinuation.problems import InvalidInput

    try:
        collection = read_collection(project / "data" / "published")
    except InvalidInput as error:
        yield False, "bundled evidence", str(error)
        return
    studies = len(collection.current["studies"].records)
    yield True, "bundled evidence", f"{studies} study records, no problem"


def _known_result(project: Path) -> Iterator[Finding]:
    """Recompute a published two-by-two table and pool two made-up trials by hand's arithmetic."""
    from discontinuation.synthesis import pool, risk_ratio

    ratio, lower, upper = risk_ratio(135, 240, 92, 238).natural()
    found = f"risk ratio of 135/240 against 92/238: {ratio:.6f} ({lower:.6f} to {upper:.6f})"
    expected = "1.455163 (1.197240 to 1.768651)"
    yield found.endswith(expected), "self-check", found
    mean = pool([0.0, 1.0], [1.0, 3.0], method="common").estimate
    yield (
        abs(mean - 0.25) < 1e-12,
        "self-check",
        f"pooled mean of 0 and 1 with weights 3:1: {mean:g}",
    )


def report(findings: list[Finding]) -> str:
    """Lay the findings out, one a line."""
    lines = [f"{'ok ' if sound else 'NOT'}  {what}: {found}" for sound, what, found in findings]
    wrong = sum(not sound for sound, _, _ in findings)
    closing = "Everything is sound." if not wrong else f"{wrong} of {len(findings)} are not sound."
    return "\n".join([*lines, closing])
