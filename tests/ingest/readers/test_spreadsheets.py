"""Cells of a sheet keep their type; nothing hidden, merged, computed or broken goes unsaid."""

import datetime
import io
import zipfile

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from ingest.readers.reading import cells, read, refused
from ingest.readers.writers import write_excel

DAY = datetime.datetime(2020, 2, 3)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "book.xlsx"


def save(path, *rows, change=None):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book, book.active)
    book.save(path)
    return path


def rewrite(path, change, part="xl/worksheets/sheet1.xml"):
    """Change one part inside the workbook."""
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    changed = change(parts[part].decode()).encode()
    assert changed != parts[part]
    with zipfile.ZipFile(path, "w") as new:
        for name, content in (parts | {part: changed}).items():
            new.writestr(name, content)
    return path


def test_cells_keep_their_type(path):
    time = datetime.time(8, 30)
    save(
        path,
        ["id", "n", "x", "day", "at", "ok"],
        ["007", 3, 1.5, DAY, time, True],
        ["8"] + [None] * 5,
    )
    table = read(path)
    assert cells(table) == {
        "id": ["007", "8"],
        "n": [3, None],
        "x": [1.5, None],
        "day": [DAY, None],
        "at": [time, None],
        "ok": [True, None],
    }
    assert {str(kind) for kind in table.frame.dtypes} == {"object"}
    assert type(table.frame["n"][0]) is int
    assert table.rows.tolist() == [2, 3] and table.row_word == "row"
    assert "sheet 'Sheet'" in table.statements


def test_serial_number_is_a_date_only_if_its_cell_says_so(path):
    def formats(book, sheet):
        sheet["B2"].number_format = "dd/mm/yyyy"
        sheet["C2"].number_format = "[h]:mm"
        sheet["D2"].number_format = '0.0" mg/day"'

    save(path, ["a", "b", "c", "d"], [43864, 43864, 1.5, 2], change=formats)
    found = cells(read(path))
    assert found == {"a": [43864], "b": [DAY], "c": [datetime.timedelta(hours=36)], "d": [2]}


def test_dates_counted_from_1904_are_the_same_days(path):
    write_excel(path, {"id": ["a"], "day": [DAY]}, epoch=CALENDAR_MAC_1904)
    table = read(path)
    assert table.frame["day"].tolist() == [DAY]
    assert "dates are counted from 1904" in table.statements


def test_number_that_is_no_date_in_spite_of_its_format_is_refused(path):
    def formats(book, sheet):
        sheet["B3"].number_format = "yyyy-mm-dd"

    save(path, ["id", "day"], ["x", 1], ["y", 1e10], change=formats)
    assert "row 3, column B: '10000000000': is formatted as a date, but" in refused(path)


def with_results(xml):
    """Store results of formulas, as Excel does: a number, an empty text, none."""
    xml = xml.replace("<f>A2*2</f><v />", "<f>A2*2</f><v>4</v>")
    return xml.replace(
        '<c r="C2"><f>A2&amp;""</f><v />', '<c r="C2" t="str"><f>A2&amp;""</f><v></v>'
    )


def test_formulas_are_read_by_their_stored_results(path):
    save(path, ["a", "double", "empty"], [2, "=A2*2", '=A2&""'])
    rewrite(path, with_results)
    table = read(path)
    assert cells(table) == {"a": [2], "double": [4], "empty": [None]}
    said = "1 cells of double hold formulas, read by their stored results (rows 2)"
    assert said in table.statements


def test_formula_without_a_stored_result_is_refused(path):
    save(path, ["a", "b"], [1, "x"], [2, "=A3*2"])
    assert "row 3, column b: holds a formula without a stored result" in refused(path)


def test_excel_errors_stay_and_are_stated(path):
    save(path, ["a", "b"], [1, "#N/A"], [2, 5])
    table = read(path)
    assert table.frame["b"].tolist() == ["#N/A", 5]
    assert "1 cells of b hold Excel errors, kept as text (rows 2)" in table.statements


def test_sheets_are_chosen_or_asked_for(path):
    def more(book, sheet):
        book.create_sheet("Doses").append(["id", "dose"])
        book["Doses"].append(["1", 2])
        book.create_sheet("empty")
        hidden = book.create_sheet("lists")
        hidden.append(["x"])
        hidden.sheet_state = "hidden"

    save(path, ["id"], ["1"], change=more)
    assert "holds 3 sheets; set the option sheet, one of: Sheet, Doses, lists" in refused(path)
    table = read(path, options={"sheet": "Doses"})
    assert table.file == "book.xlsx [sheet Doses]" and cells(table) == {"id": ["1"], "dose": [2]}
    assert "hidden sheets that are not read: lists" in table.statements
    assert "the sheet is hidden" in read(path, options={"sheet": "lists"}).statements
    text = refused(path, options={"sheet": "doses"})
    assert "'doses': there is no such sheet; allowed: Sheet, Doses" in text
    assert "book.xlsx [sheet empty]: holds no cell" in refused(path, options={"sheet": "empty"})


def test_empty_workbook_is_refused_and_empty_table_stated(path):
    save(path)
    assert "holds no sheet with cells" in refused(path)
    save(path, ["a", "b"])
    table = read(path)
    assert table.frame.shape == (0, 2)
    assert "there are no records below the names" in table.statements


def test_rows_of_a_sheet_keep_their_numbers(path):
    save(
        path, ["A report"], [], ["id", "dose"], ["mg"], ["1", 2], [None, " "], ["2", 3], ["all", 5]
    )
    options = {"header_row": 3, "rows": [5, 7]}
    table = read(path, options=options)
    assert cells(table) == {"id": ["1", "2"], "dose": [2, 3]} and table.rows.tolist() == [5, 7]
    assert "names are in row 3; rows above it are not read" in table.statements
    assert "blank rows are left out: 1" in table.statements
    assert "row 1: column 2 has cells and no name" in refused(path)
    assert "the row of the names is blank" in refused(path, options={"header_row": 2})


def test_dimension_that_a_program_wrote_wrongly_is_not_believed(path):
    save(path, ["a", "b"], [1, 2], [3, 4])
    rewrite(path, lambda xml: xml.replace('<dimension ref="A1:B3"', '<dimension ref="A1"'))
    assert cells(read(path)) == {"a": [1, 3], "b": [2, 4]}


def test_merged_and_hidden_cells_are_stated(path):
    def hide(book, sheet):
        sheet.merge_cells("A2:A3")
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["B"].hidden = True

    save(path, ["a", "b"], ["x", 1], [None, 2], change=hide)
    table = read(path)
    assert cells(table) == {"a": ["x", None], "b": [1, 2]}
    assert "merged cells, of which only the first holds a value: A2:A3" in table.statements
    assert "1 hidden or filtered rows are read like the others" in table.statements
    assert "1 groups of hidden columns are read like the others" in table.statements


def test_merged_names_leave_columns_without_one(path):
    save(
        path, ["id", "doses", None], ["x", 1, 2], change=lambda b, sheet: sheet.merge_cells("B1:C1")
    )
    assert "column 3 has cells and no name" in refused(path)


def test_missing_texts_and_numbers(path):
    save(path, ["a", "b"], ["NA", -99], ["x", -99.0], ["y", 1])
    table = read(path, options={"missing": ["NA", -99]})
    assert cells(table) == {"a": [None, "x", "y"], "b": [None, None, 1]}


def test_row_names_and_doubled_names(path):
    save(path, [None, "a"], ["r1", 1], ["r2", 2])
    assert cells(read(path)) == {"row.names": ["r1", "r2"], "a": [1, 2]}
    save(path, ["a", "a"], [1, 2])
    assert "row 1, column a: the column stands there more than once" in refused(path)


def test_names_that_are_numbers_or_dates(path):
    save(path, ["id", 1, 2.0, DAY], ["x", 1, 2, 3])
    assert list(read(path).frame) == ["id", "1", "2", "2020-02-03"]


def compound_file(*names):
    """Make the head of an old Office file with the names of its streams."""
    return (
        bytes.fromhex("d0cf11e0a1b11ae1")
        + bytes(600)
        + b"".join(name.encode("utf-16-le") for name in names)
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", compound_file("EncryptionInfo", "EncryptedPackage"), "protected by a password"),
        ("a.xls", compound_file("Workbook"), "is an old Excel workbook (.xls)"),
        ("a.xls", b"<html><body><table>", "is a web page, though its name ends in .xls"),
        ("a.xlsx", b"PK\x03\x04" + bytes(50), "is a damaged or truncated zip file"),
        ("a.xlsx", b"a,b\n1,2\n", "is not an Excel workbook, though its name ends in .xlsx"),
    ],
)
def test_what_is_not_a_workbook_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refused(tmp_path / name)


def test_workbook_under_the_old_ending_is_read(path, tmp_path):
    save(path, ["a"], [1])
    other = path.rename(tmp_path / "book.xls")
    assert cells(read(other)) == {"a": [1]}


def test_other_archives_are_named(tmp_path):
    for name, parts, message in (
        ("a.xlsx", {"readme.txt": b"x"}, "is a zip archive that is not a workbook"),
        ("b.xlsx", {"xl/workbook.bin": b"x"}, "is a binary Excel workbook (.xlsb)"),
        (
            "c.xlsx",
            {"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"},
            "is an OpenDocument file",
        ),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for part, content in parts.items():
                archive.writestr(part, content)
        assert message in refused(tmp_path / name)


def test_truncated_workbook_is_refused(path):
    save(path, ["a", "b"], *([i, i] for i in range(100)))
    content = path.read_bytes()
    for size in (10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:size])
        assert "is a damaged or truncated zip file" in refused(path)


def test_workbook_that_would_unpack_to_gigabytes_is_refused(path):
    save(path, ["a"], [1])
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        part = next(info for info in archive.infolist() if "sheet1" in info.filename)
    size = part.file_size.to_bytes(4, "little")
    at = content.rindex(size, 0, content.rindex(part.filename.encode()))
    content[at : at + 4] = (3 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    assert "would unpack to more than 2 GiB" in refused(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xml: xml[: len(xml) // 2], "cannot be read as an Excel workbook"),
        (lambda xml: xml.replace('<row r="3"', '<row r="2000000"'), "a row number beyond 1048576"),
        (lambda xml: xml.replace('<row r="3"', '<row r="1"'), "rows that are not in order"),
        (
            lambda xml: xml.replace("<v>7</v>", "<v>seven</v>"),
            "cannot be read as an Excel workbook",
        ),
    ],
)
def test_damaged_sheets_are_one_sentence(path, change, message):
    save(path, ["a", "b"], [1, 2], [7, 8])
    rewrite(path, change)
    text = refused(path)
    assert message in text and len(text.splitlines()) == 1
