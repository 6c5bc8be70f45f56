"""Three made-up trials, as CSV files or as a review workbook."""

import csv

from openpyxl import load_workbook

from discontinuation.tables.schema import read_schema

SOURCES = [
    {
        "source": "alpha2020",
        "citation": "Alpha 2020",
        "identifier": "10.1/alpha",
        "kind": "primary",
    },
    {"source": "beta2021", "citation": "Beta 2021", "identifier": "PMID 1", "kind": "primary"},
    {"source": "gamma2022", "citation": "Gamma 2022", "identifier": "PMID 2", "kind": "primary"},
]


def study(name, year, drug_class="antidepressant", pace="not_applicable"):
    return {
        "study": name, "title": f"{name} {year}", "year": year, "drug": "sertraline",
        "drug_class": drug_class, "design": "randomised", "allocation_randomised": "yes",
        "pace_randomised": pace, "withdrawal_measured": "not_stated", "tag": "V",
        "source": f"{name.lower()}{year}",
    }  # fmt: skip


def arm(name, label, strategy, n, taper_days=None):
    return {
        "study": name, "arm": label, "strategy": strategy, "taper_days": taper_days,
        "formulation": "oral", "n_randomised": n,
    }  # fmt: skip


def result(name, label, week, n, events, **others):
    return {
        "study": name, "arm": label, "outcome": "relapse", "outcome_type": "relapse",
        "week": week, "n": n, "events": events, "event_free": round(1 - events / n, 4),
        "estimator": "crude", "basis": "reported", **others,
    }  # fmt: skip


def tables():
    """Return fresh rows, for a test to change."""
    return {
        "sources": [dict(row) for row in SOURCES],
        "studies": [study("Alpha", 2020), study("Beta", 2021), study("Gamma", 2022)],
        "arms": [
            arm("Alpha", "drug", "maintain", 100),
            arm("Alpha", "placebo", "abrupt", 100, 0),
            arm("Beta", "drug", "maintain", 80),
            arm("Beta", "placebo", "taper", 90, 28),
            arm("Gamma", "drug", "maintain", 60),
            arm("Gamma", "placebo", "unspecified", 60),
        ],
        "results": [
            result("Alpha", "drug", 4, 100, 5),
            result("Alpha", "drug", 52, 100, 20),
            result("Alpha", "placebo", 4, 100, 15),
            result("Alpha", "placebo", 52, 100, 40),
            result("Beta", "drug", 26, 80, 16),
            result("Beta", "placebo", 26, 90, 36),
            result("Gamma", "drug", 26, 60, 15),
            result("Gamma", "placebo", 26, 60, 24),
        ],
        "effects": [],
    }


def write_csv(folder, rows_by_table):
    """Write tables as CSV files with every column of their schema."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in rows_by_table.items():
        columns = read_schema("evidence")[name].column_names
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def fill_workbook(path, rows_by_table):
    """Type rows into the sheets of an empty review workbook, under its headings."""
    book = load_workbook(path)
    for name, rows in rows_by_table.items():
        sheet = book[name]
        header = [cell.value for cell in sheet[1]]
        for number, row in enumerate(rows, 2):
            for column, value in row.items():
                sheet.cell(number, header.index(column) + 1, value)
    book.save(path)
