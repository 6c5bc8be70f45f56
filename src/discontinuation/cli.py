"""The command `discontinuation`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import discontinuation
from discontinuation.problems import InvalidInput

NOTICE = "A research tool. Nothing it prints advises anyone to stop or reduce a drug."
# Exit codes: 0 fine, 1 the input is not, 2 the command could not be carried out.
INVALID, IMPOSSIBLE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Those of the process by default.

    Returns
    -------
    int
        0 when all is well, 1 when the input has problems, 2 when nothing could be done.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _parser(asked=next(iter(arguments), ""))
    options, rest = parser.parse_known_args(arguments)
    if rest and options.command != "run":
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    try:
        return int(options.action(options, rest))
    except InvalidInput as error:
        print(error, file=sys.stderr)
        return INVALID
    except OSError as error:
        print(error, file=sys.stderr)
        return IMPOSSIBLE


def _parser(asked: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("discontinuation", description=NOTICE)
    parser.add_argument("--version", action="version", version=discontinuation.__version__)
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="examine this installation")
    doctor.set_defaults(action=_doctor)
    review = commands.add_parser("review", help="a review of published trials in its own folder")
    steps = review.add_subparsers(required=True, metavar="STEP")
    for name, action, text in (
        ("new", _review_new, "write an empty workbook and a configuration"),
        ("check", _review_check, "list every problem of the workbook"),
        ("run", _review_run, "run the workflow on it; options of Snakemake may follow"),
    ):
        step = steps.add_parser(name, help=text)
        step.add_argument("folder", type=Path)
        step.set_defaults(action=action, command=name)
    new = commands.add_parser("new", help="draft the declaration of a dataset from its files")
    new.add_argument("name")
    new.add_argument("--from", dest="files", type=Path, nargs="+", required=True, metavar="FILE")
    new.set_defaults(action=_dataset_new)
    check = commands.add_parser("check", help="read, map and validate a dataset, run nothing")
    check.add_argument("name", help="its name in config/datasets, or a path to its YAML file")
    check.add_argument("--data", type=Path, help="folder with a copy of the data")
    check.set_defaults(action=_dataset_check)
    run = commands.add_parser("run", help="one dataset's report; options of Snakemake may follow")
    run.add_argument("name", help="its name in config/datasets, or a path to its YAML file")
    run.set_defaults(action=_dataset_run, command="run")
    for name, action, text in (
        ("pace", _pace, "how fast a schedule takes a drug away"),
        ("reconstruct", _reconstruct, "the people behind a published curve"),
        ("audit", _audit, "an audit card of one published trial"),
        ("power", _power, "power and size of a planned trial"),
    ):
        command = commands.add_parser(name, help=text)
        command.set_defaults(action=action)
        if asked == name:  # what it can be asked takes a second to load
            module = import_module(f"discontinuation.{name}_command")
            module.add_arguments(command)
    return parser


def _reconstruct(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.reconstruct_command import run_reconstruct

    print(run_reconstruct(options))
    return 0


def _audit(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.audit_command import run_audit

    print(run_audit(options))
    return 0


def _power(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.power_command import run_power

    print(run_power(options))
    return 0


def _pace(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.pace_command import run_pace

    print(run_pace(options))
    return 0


def _doctor(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.doctor import examine, report

    findings = examine()
    print(report(findings))
    return 0 if all(sound for sound, _, _ in findings) else INVALID


def _review_new(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.review import new_review

    for path in new_review(options.folder):
        print(f"wrote {path}")
    print(f"Fill the workbook, then: discontinuation review check {options.folder}")
    return 0


def _review_check(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.review import check_review

    print(check_review(options.folder))
    return 0


def _review_run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.review import check_review, check_settings, run_review

    check_settings(options.folder)
    print(check_review(options.folder))
    return run_review(options.folder, rest)


def _dataset_new(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.ingest.draft import new_command

    print(new_command(options.name, options.files))
    return 0


def _dataset_check(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.single_dataset import check_dataset

    print(check_dataset(options.name, options.data))
    return 0


def _dataset_run(options: argparse.Namespace, rest: Sequence[str]) -> int:
    from discontinuation.single_dataset import run_dataset

    return run_dataset(options.name, rest)


if __name__ == "__main__":
    sys.exit(main())
