#!/usr/bin/env python3
"""Reproduce everything with one command, on a machine that has only Python.

    python3 reproduce.py                  set up .venv, run the default workflow
    python3 reproduce.py --cores 1 -n     the same, any Snakemake option may follow
    python3 reproduce.py test             set up .venv, run the tests
    python3 reproduce.py test -k pooling  the same, any pytest option may follow

Standard library only. The environment in .venv holds exactly the packages of
requirements.lock and is made anew when that file, pyproject.toml, the Python
version or the folder's place changes.
"""

from __future__ import print_function

import sys

# Any Python must be able to read this file as far as its refusal, so nothing newer stands in it.
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(
        "discontinuation needs Python 3.11, 3.12 or 3.13; this is Python {}.{}.".format(
            *sys.version_info[:2]
        )
    )

import hashlib
import os
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "prepared.sha256"


def main():
    """Prepare .venv where needed, then run the tests or Snakemake in it."""
    arguments = sys.argv[1:]
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    prepare()
    if arguments[:1] == ["test"]:
        return run("-m", "pytest", *arguments[1:])
    return run("-m", "snakemake", *arguments)


def prepare():
    """Make .venv unless it is already what is wanted."""
    wanted = fingerprint()
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="ascii") == wanted:
        return
    print("Preparing the environment in .venv (a minute or two, once) ...", flush=True)
    try:
        venv.create(str(ENVIRONMENT), clear=True, with_pip=True)
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(
            "The environment could not be made: Python's venv and pip are needed "
            "(on Debian and Ubuntu: the package python3-venv). Python said: {}".format(error)
        )
    pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    steps = [
        pip + ["--require-hashes", "--requirement", "requirements.lock"],
        pip + ["--no-deps", "--no-build-isolation", "--editable", "."],
    ]
    if any(run(*step) != 0 for step in steps):
        sys.exit("The packages of requirements.lock could not be installed; see above.")
    point_to_sources()
    STAMP.write_text(wanted, encoding="ascii")


def point_to_sources():
    """Let the environment find the package by a path relative to itself.

    pip writes an absolute one, and Python cannot even start where the locale cannot spell a
    letter of it.
    """
    base = {"base": str(ENVIRONMENT), "platbase": str(ENVIRONMENT)}
    packages = Path(sysconfig.get_path("purelib", "venv", base))
    relative = os.path.relpath(str(ROOT / "src"), str(packages))
    (packages / "discontinuation.pth").write_text(relative + "\n", encoding="ascii")


def fingerprint():
    """Identify the environment that is wanted here."""
    digest = hashlib.sha256()
    for part in (sys.version, os.path.realpath(sys.executable), str(ROOT)):
        digest.update(part.encode("utf-8", "surrogateescape"))
    for name in ("requirements.lock", "pyproject.toml", "reproduce.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def run(*arguments):
    """Run the environment's Python in the project's folder."""
    return subprocess.call([str(PYTHON)] + list(arguments), cwd=str(ROOT), env=variables())


def variables():
    """Give the environment's Python what it needs, whatever the shell says.

    UTF-8 mode makes results independent of the locale; other Python settings of the shell
    belong to other projects. Without cached bytecode every import is three times slower.
    """
    dropped = {
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONWARNINGS",
    }
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return dict(kept, PYTHONUTF8="1", PYTHONNOUSERSITE="1")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
