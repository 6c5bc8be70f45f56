"""A review workbook has the columns of the tables, drop-downs, and gives back what was typed."""

import datetime
from zipfile import ZipFile

import pytest
from openpyxl import load_workbook
from openpyxl.chart import BarChart
from openpyxl.worksheet.worksheet import Worksheet

import made_up
from discontinuation.ingest.evidence import read_collection
from discontinuation.ingest.workbook import (
    WORKBOOK,
    asked_columns,
    read_workbook,
    workbook_tables,
    write_workbook,
)
from discontinuation.problems import InvalidInput


@pytest.fixture
def workbook(tmp_path):
    write_workbook(tmp_path / WORKBOOK, "My review")
    return tmp_path / WORKBOOK


def refused(path):
    with pytest.raises(InvalidInput) as refusal:
        read_collection(path.parent)
    return "\n".join(map(str, refusal.value.problems))


def test_sheets_have_the_columns_of_the_tables(workbook):
    book = load_workbook(workbook)
    assert book.sheetnames[1:6] == ["sources", "studies", "arms", "results", "effects"]
    for name, table in workbook_tables().items():
        header = [cell.value for cell in book[name][1]]
        assert header == [column.name for column in asked_columns(table)]


def test_every_closed_column_has_a_drop_down_with_its_values(workbook):
    book = load_workbook(workbook)
    for name, table in workbook_tables().items():
        rules = {str(rule.sqref): rule for rule in book[name].data_validations.dataValidation}
        for position, column in enumerate(asked_columns(table), 1):
            letter = book[name].cell(1, position).column_letter
            rule = rules.get(f"{letter}2:{letter}2000")
            if column.allowed:
                sheet, _, cells = rule.formula1.partition("!")
                listed = [row[0].value for row in book[sheet][cells.replace("$", "")]]
                assert listed == list(column.allowed)
            elif column.is_number:
                assert rule.type in ("whole", "decimal")


def test_what_was_typed_is_what_is_read(workbook, tmp_path):
    made_up.fill_workbook(workbook, made_up.tables())
    from_workbook = read_collection(workbook.parent).current
    from_csv = read_collection(made_up.write_csv(tmp_path / "csv", made_up.tables())).current
    for name, table in from_csv.items():
        assert from_workbook[name].records == table.records, name


def test_problems_name_sheet_row_and_column(workbook):
    rows = made_up.tables()
    rows["results"][2]["event_free"] = 1.2
    rows["arms"][1]["strategy"] = "sudden"
    rows["studies"][0]["year"] = datetime.date(2020, 1, 1)
    rows["results"][3]["events"] = "=20+20"
    made_up.fill_workbook(workbook, rows)
    text = refused(workbook)
    assert "review.xlsx, sheet results, row 4, column event_free: '1.2'" in text
    assert "sheet arms, row 3, column strategy: 'sudden'" in text
    assert "sheet studies, row 2, column year: '2020-01-01'" in text
    assert "sheet results, row 5, column events: '=20+20': holds a formula" in text


def test_missing_and_unknown_sheets_are_named(workbook):
    book = load_workbook(workbook)
    del book["arms"]
    book.create_sheet("Tabelle1")
    book.save(workbook)
    text = refused(workbook)
    assert "the sheet arms is missing" in text
    assert "unknown sheet 'Tabelle1'" in text


def test_empty_review_is_refused(workbook):
    assert "sheet results: holds no row" in refused(workbook)


def test_broken_workbook_is_one_sentence(workbook):
    workbook.write_bytes(b"not a workbook")
    assert "cannot be read as an XLSX workbook" in refused(workbook)


def rewrite(path, part, change):
    """Change one part inside an XLSX file."""
    with ZipFile(path) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    assert change(contents[part]) != contents[part]
    contents[part] = change(contents[part])
    with ZipFile(path, "w") as new:
        for name, content in contents.items():
            new.writestr(name, content)


def flip_a_byte(path):
    with ZipFile(path) as book:
        start = book.getinfo("xl/worksheets/sheet2.xml").header_offset
    content = bytearray(path.read_bytes())
    content[start + 100] ^= 0xFF
    path.write_bytes(content)


def truncate_a_sheet(path):
    rewrite(path, "xl/worksheets/sheet2.xml", lambda xml: xml[: len(xml) // 2])


def put_text_in_a_numeric_cell(path):
    rewrite(path, "xl/worksheets/sheet3.xml", lambda xml: xml.replace(b"<v>2020<", b"<v>year<"))


@pytest.mark.parametrize("damage", [flip_a_byte, truncate_a_sheet, put_text_in_a_numeric_cell])
def test_damaged_workbook_is_one_problem(workbook, damage):
    made_up.fill_workbook(workbook, made_up.tables())
    damage(workbook)
    tables, (problem,) = read_workbook(workbook)
    assert tables == {}
    assert str(problem).startswith("review.xlsx: cannot be read as an XLSX workbook (")


def test_sheet_that_cannot_be_read_is_one_problem(workbook, monkeypatch):
    made_up.fill_workbook(workbook, made_up.tables())

    def broken(sheet, **options):
        raise OverflowError("a date too far")

    monkeypatch.setattr(Worksheet, "iter_rows", broken)
    tables, problems = read_workbook(workbook)
    assert tables == {} and len(problems) == len(workbook_tables())
    assert "sheet arms: cannot be read as an XLSX workbook (a date too far)" in str(problems[2])


def test_chart_sheet_is_not_a_table(workbook):
    book = load_workbook(workbook)
    del book["effects"]
    book.create_chartsheet("effects").add_chart(BarChart())
    book.save(workbook)
    assert "sheet effects: is not a worksheet" in refused(workbook)


def test_values_beyond_the_last_heading_are_named(workbook):
    made_up.fill_workbook(workbook, made_up.tables())
    book = load_workbook(workbook)
    book["sources"]["J3"] = "a remark"
    book.save(workbook)
    assert "sheet sources, row 3, column J: 'a remark': stands beyond the last heading" in refused(
        workbook
    )


def test_lock_file_of_an_open_spreadsheet_is_ignored(workbook):
    made_up.fill_workbook(workbook, made_up.tables())
    (workbook.parent / f"~${WORKBOOK}").write_bytes(b"x")
    assert len(read_collection(workbook.parent).current["studies"].records) == 3


def test_nothing_is_overwritten(workbook):
    before = workbook.read_bytes()
    with pytest.raises(FileExistsError):
        write_workbook(workbook, "again")
    assert workbook.read_bytes() == before
