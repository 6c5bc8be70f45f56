"""What does `discontinuation audit` do: from a study file to an audit card."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from discontinuation.audit.card import AuditCard, audit_card, card_as_data
from discontinuation.audit.study import read_study
from discontinuation.exposure.drugs import read_drugs
from discontinuation.fingerprint import ROOT

PROJECT = ROOT.parents[1]
REFERENCE = PROJECT / "data" / "reference"
SEED = 20261122


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `discontinuation audit` can be asked with."""
    parser.add_argument("study", type=Path, help="YAML file of the trial; see docs/audit.md")
    parser.add_argument(
        "--into", type=Path, help="folder of the card; the study's key if not given"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="of click noise and bootstrap")


def run_audit(options: argparse.Namespace) -> str:
    """Audit one trial; write its card as a page, a figure, tables and JSON.

    Parameters
    ----------
    options
        As `add_arguments` has them read.

    Returns
    -------
    str
        What to print.

    Raises
    ------
    InvalidInput
        With every problem of the study file.
    """
    from discontinuation.provenance import describe_code
    from discontinuation.report.audit_card import render_card
    from discontinuation.report.card_figure import draw_card
    from discontinuation.report.drawing import save_figure
    from discontinuation.report.inline import FigureFiles

    study = read_study(options.study)
    card = audit_card(study, read_drugs(REFERENCE), options.seed)
    figure = draw_card(card)
    folder = options.into or Path(str(study.content["study"]))
    folder.mkdir(parents=True, exist_ok=True)
    drawn = [folder / "card.svg", folder / "card.png"]
    save_figure(figure, *drawn)
    tables = {
        "measures": card.measures,
        "answers": card.answers,
        "removal": card.removal.quantities,
        "reconstruction": card.quality,
        "people": card.people,
    }
    for name, table in tables.items():
        if len(table):
            table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    data = json.dumps(card_as_data(card), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "card.json").write_text(data + "\n", encoding="utf-8", newline="\n")
    digest = hashlib.sha256(options.study.read_bytes()).hexdigest()
    page = render_card(card, FigureFiles.read(*drawn), describe_code(PROJECT), digest, options.seed)
    (folder / "card.html").write_text(page, encoding="utf-8", newline="\n")
    return _told(card, folder)


def _told(card: AuditCard, folder: Path) -> str:
    lines = [
        f"{card.study.content['title']}: evidence tier {card.tier}, {card.claim}",
        f"Verdict: {card.verdict}.",
        f"Domain W (experimental): {card.judgement}.",
        f"Stopped: by its doses {card.removal.labels['in_milligrams']}, at the receptor "
        f"{card.removal.labels['at_receptor']}.",
        *(f"- {sentence}" for sentence in (*card.tipping, *card.would_change)),
        *(f"Note: {note}." for note in card.notes),
        f"The card is {(folder / 'card.html').absolute()}",
    ]
    return "\n".join(lines)
