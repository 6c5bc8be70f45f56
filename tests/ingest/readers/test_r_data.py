"""Data frames saved by R: factors, dates, labels, NA and text of any encoding survive."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from discontinuation.ingest.readers.r_objects import as_character
from ingest.readers.reading import cells, read, refused
from ingest.readers.writers import needs_r, run_r

pytestmark = needs_r

# Every file of this module is made by one run of R.
CODE = r"""
setwd(commandArgs(TRUE)[1])
d <- data.frame(id = c("007", NA, "\u00e9"), n = c(1L, NA, 3L), x = c(1.5, NA, NaN),
                ok = c(TRUE, NA, FALSE), stringsAsFactors = FALSE)
d$arm <- factor(c("taper", NA, "abrupt"), levels = c("taper", "hold", "abrupt"))
d$severity <- factor(c("mild", "severe", NA), levels = c("mild", "severe"), ordered = TRUE)
d$day <- as.Date(c("2012-01-01", NA, "1899-12-31"))
d$whole_day <- structure(c(15340L, NA, 0L), class = "Date")
d$at <- as.POSIXct(c("2012-07-01 08:30:00.25", NA, "2012-01-01 00:00:00"),
                   tz = "Europe/Berlin", format = "%Y-%m-%d %H:%M:%OS")
d$gap <- as.difftime(c(1, NA, 2.5), units = "days")
d$seq <- 1:3
d$word <- c("NA", NA, "")
d$text_of_numbers <- as.character(c(1L, NA, 30000L))
saveRDS(d, "frame.rds")
saveRDS(d, "ascii.rds", ascii = TRUE)
saveRDS(d, "v2.rds", version = 2)
saveRDS(d, "plain.rds", compress = FALSE)
saveRDS(d, "bz.rds", compress = "bzip2")
saveRDS(d, "xz.rds", compress = "xz")
con <- file("native.rds", "wb"); serialize(d, con, xdr = FALSE); close(con)
save(d, file = "one.rda")
save(d, file = "ascii.rda", ascii = TRUE)
e <- data.frame(k = 1:2); v <- 1:5; m <- matrix(1:4, 2)
save(d, e, v, m, file = "many.RData")
save(v, m, file = "none.rda")
nested <- list(meta = "x", tables = list(first = e, second = d), fun = function(a) a + 1)
save(nested, file = "nested.rda")
saveRDS(list(a = e, b = d), "list.rds")

l <- data.frame(q = 1:3)
l$q <- structure(c(1, 2, 99), label = "How bad?", labels = c(mild = 1, severe = 2),
                na_values = c(98, 99), na_range = c(-9, -1), format.spss = "F8.0",
                 class = c("haven_labelled_spss", "haven_labelled", "vctrs_vctr", "double"))
tagged <- readBin(as.raw(c(0xa2, 7, 0, 0, 0x61, 0, 0xf0, 0x7f)), "double", endian = "little")
l$t <- c(1, tagged, NA)
attr(l$t, "labels") <- c(refused = tagged)
saveRDS(l, "labelled.rds")

t <- data.frame(unmarked = c("a", "b"), latin = c("a", "b"), stringsAsFactors = FALSE)
w <- rawToChar(as.raw(c(0x4f, 0x92, 0x42))); Encoding(w) <- "latin1"
t$latin[1] <- w
u <- rawToChar(as.raw(c(0x4d, 0xfc))); Encoding(u) <- "unknown"
t$unmarked[1] <- u
saveRDS(t, "windows.rds", version = 2)

b <- data.frame(a = 1:2); b$z <- list(1, 2:3); saveRDS(b, "listcolumn.rds")
b <- data.frame(a = 1:2); b$z <- matrix(1:4, 2); saveRDS(b, "matrixcolumn.rds")
b <- data.frame(a = 1:2); b$z <- as.POSIXlt(Sys.time()) + 0:1
b$z <- as.POSIXlt(b$z); saveRDS(b, "posixlt.rds")
b <- data.frame(a = 1:2, z = 1:2 + 0i); saveRDS(b, "complex.rds")
b <- data.frame(a = 1:2, a = 3:4, check.names = FALSE); saveRDS(b, "doubled.rds")
b <- data.frame(a = 1:2); b$z <- structure(c(1e300, 5), class = "Date"); saveRDS(b, "far.rds")
b <- data.frame(a = 1:2); b$z <- structure(c(0, 1), class = c("POSIXct", "POSIXt"))
saveRDS(b, "zoneless.rds")
b <- data.frame(a = 1:2)
b$z <- structure(c(0, 1), class = c("POSIXct", "POSIXt"), tzone = "Mars/Crater")
saveRDS(b, "mars.rds")
b <- data.frame(a = 1:2, row.names = c("x", "y")); saveRDS(b, "rownames.rds")
b <- data.frame(a = factor(c("", "x", NA), levels = c("", "x", NA), exclude = NULL))
saveRDS(b, "levels.rds")
saveRDS(data.frame(a = integer(0), b = character(0)), "norows.rds")
saveRDS(data.frame(), "nothing.rds")
saveRDS(1:3, "vector.rds")
big <- data.frame(a = 1:2); big$i <- structure(c(4.9406564584124654e-324, 0), class = "integer64")
saveRDS(big, "integer64.rds")
s <- data.frame(id = rep(c("a", "b", NA), 100000), x = 1:300000 + 0.5); saveRDS(s, "long.rds")
xs <- c(0.1 + 0.2, 1e5, 123456, 1e-5, 1e15, 1e16, 1/3, -2.5, 100, 1e-300, 1234567.8, 0, NA, NaN,
        Inf, -Inf, 5e-324, 1.7976931348623157e308, 0.0001, 1e05 + 0.1, 3)
f <- data.frame(x = xs); f$s <- as.character(f$x); saveRDS(f, "deferred.rds")
f$s <- vapply(xs, function(v) as.character(v), ""); saveRDS(f, "written.rds")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("r")
    run_r(CODE, made)
    return made


def check_frame(table):
    found = cells(table)
    assert found["id"] == ["007", None, "é"]
    assert str(table.frame["n"].dtype) == "Int64" and found["n"] == [1, None, 3]
    # NA is missing; NaN is a result that is not a number, and is told from it.
    assert table.frame["x"].isna().tolist() == [False, True, False]
    assert np.isnan(table.frame["x"].to_numpy(float, na_value=0.0)).tolist() == [False, False, True]
    assert any("x holds NaN" in said for said in table.statements)
    assert found["ok"] == [True, None, False]
    assert found["arm"] == ["taper", None, "abrupt"]
    assert table.frame["arm"].cat.categories.tolist() == ["taper", "hold", "abrupt"]
    assert table.frame["severity"].cat.ordered and not table.frame["arm"].cat.ordered
    days = [pd.Timestamp("2012-01-01"), None, pd.Timestamp("1899-12-31")]
    assert found["day"] == days and str(table.frame["day"].dtype) == "datetime64[us]"
    assert found["whole_day"] == [days[0], None, pd.Timestamp("1970-01-01")]
    at = table.frame["at"]
    assert str(at.dtype) == "datetime64[us, Europe/Berlin]"
    assert at[0] == pd.Timestamp("2012-07-01 08:30:00.25", tz="Europe/Berlin")
    assert at[2].isoformat() == "2012-01-01T00:00:00+01:00"
    assert found["gap"] == [1.0, None, 2.5] and table.formats["gap"] == "difftime (days)"
    assert found["seq"] == [1, 2, 3]
    assert found["word"] == ["NA", None, None]  # the text NA is text
    assert found["text_of_numbers"] == ["1", None, "30000"]


FILES = ["frame.rds", "ascii.rds", "v2.rds", "plain.rds", "bz.rds", "xz.rds", "native.rds"]


@pytest.mark.parametrize("name", [*FILES, "one.rda", "ascii.rda"])
def test_data_frame_survives_every_way_of_saving(folder, name):
    table = read(folder / name)
    check_frame(table)
    assert table.file == name and table.row_word == "record"
    assert table.rows.tolist() == [1, 2, 3]


def test_objects_are_chosen_or_asked_for(folder):
    many = folder / "many.RData"
    assert "holds 2 data frames; set the option object, one of: d, e" in refused(many)
    table = read(many, options={"object": "e"})
    assert table.file == "many.RData [object e]" and cells(table) == {"k": [1, 2]}
    assert "is a matrix or array; allowed: d, e" in refused(many, options={"object": "m"})
    assert "there is no such object; allowed: d, e" in refused(many, options={"object": "f"})
    text = refused(folder / "none.rda")
    assert "holds no data frame; it holds v (an integer vector), m (a matrix or array)" in text
    assert "holds no data frame; it holds an integer vector" in refused(folder / "vector.rds")


def test_data_frames_within_lists(folder):
    nested = folder / "nested.rda"
    assert "one of: nested$tables$first, nested$tables$second" in refused(nested)
    check_frame(read(nested, options={"object": "nested$tables$second"}))
    assert cells(read(folder / "list.rds", options={"object": "a"})) == {"k": [1, 2]}
    text = refused(nested, options={"object": "nested$tables$secnd"})
    assert "did you mean 'nested$tables$second'?" in text


def test_labels_and_codes_of_haven(folder):
    table = read(folder / "labelled.rds")
    assert table.labels == {"q": "How bad?"}
    assert table.value_labels == {"q": {1.0: "mild", 2.0: "severe"}, "t": {".a": "refused"}}
    assert table.user_missing == {"q": [98.0, 99.0, (-9.0, -1.0)], "t": [".a"]}
    assert table.formats["q"] == "F8.0"
    assert cells(table) == {"q": [1.0, 2.0, 99.0], "t": [1.0, ".a", None]}


def test_text_of_other_encodings(folder):
    table = read(folder / "windows.rds")
    assert cells(table) == {"unmarked": ["Mü", "b"], "latin": ["O’B", "b"]}
    assert "encoding Windows-1252 (assumed where not UTF-8: 'Mü')" in table.statements
    greek = read(folder / "windows.rds", options={"encoding": "cp1253"})
    assert cells(greek)["unmarked"] == ["Mό", "b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("listcolumn.rds", "column z: is a list; allowed: a vector or factor"),
        ("matrixcolumn.rds", "column z: is a matrix; allowed"),
        ("posixlt.rds", "column z: is of class POSIXlt (in R: as.POSIXct)"),
        ("complex.rds", "column z: is a complex vector"),
        ("doubled.rds", "column a: the column stands there more than once"),
        ("nothing.rds", "holds no column"),
    ],
)
def test_columns_that_are_none_are_named(folder, name, message):
    assert message in refused(folder / name)


def test_times_without_a_zone_or_beyond_the_calendar(folder):
    far = read(folder / "far.rds")
    assert cells(far)["z"] == [1e300, 5.0]
    assert "z (Date) holds dates or times beyond the calendar, left as numbers" in far.statements
    zoneless = read(folder / "zoneless.rds")
    assert zoneless.frame["z"][1] == pd.Timestamp("1970-01-01 00:00:01", tz="UTC")
    assert "z has no time zone: taken as UTC" in zoneless.statements
    mars = read(folder / "mars.rds")
    assert "z has the unknown time zone 'Mars/Crater': taken as UTC" in mars.statements


def test_row_names_that_are_text_are_a_column(folder):
    table = read(folder / "rownames.rds")
    assert cells(table) == {"row.names": ["x", "y"], "a": [1, 2]}
    assert "names of the rows are the column 'row.names'" in table.statements


def test_blank_and_missing_levels_are_missing_cells(folder):
    assert cells(read(folder / "levels.rds")) == {"a": [None, "x", None]}


def test_empty_data_frame_is_stated(folder):
    table = read(folder / "norows.rds")
    assert table.frame.shape == (0, 2) and "there are no records" in table.statements


def test_64_bit_integers(folder):
    assert cells(read(folder / "integer64.rds"))["i"] == [1, 0]


def test_long_vectors_of_text(folder):
    table = read(folder / "long.rds")
    assert table.frame["id"].tolist() == ["a", "b", None] * 100_000
    assert table.frame["x"].sum() == 300_000 * 300_001 / 2 + 150_000


def test_numbers_that_r_has_not_yet_written_as_text(folder):
    # R keeps as.character(x) as numbers until it needs the text; the text is that of R.
    deferred, written = read(folder / "deferred.rds"), read(folder / "written.rds")
    assert deferred.frame["s"].tolist() == written.frame["s"].tolist()
    assert cells(deferred)["s"][:3] == ["0.3", "1e+05", "123456"]


def test_integers_as_text():
    assert as_character(np.int32(100000)) == "100000"
    assert as_character(1e5, scipen=10) == "100000"


@pytest.mark.parametrize(
    "name", ["frame.rds", "plain.rds", "ascii.rda", "bz.rds", "xz.rds", "native.rds"]
)
def test_truncated_files_are_refused(folder, tmp_path, name):
    content = (folder / name).read_bytes().removesuffix(b"\n")
    path = tmp_path / name
    for size in sorted({1, 20, len(content) // 2, len(content) - 9, len(content) - 1}):
        path.write_bytes(content[:size])
        assert len(refused(path).splitlines()) == 1


def test_other_compressed_files_are_not_r(tmp_path):
    for name, compress in (("gzip", gzip), ("bzip2", bz2), ("xz", lzma)):
        path = tmp_path / "x.rds"
        path.write_bytes(compress.compress(b"hello"))
        assert f"is a file compressed with {name}" in refused(path)


def test_sequence_of_any_length_is_refused(folder, tmp_path):
    content = gzip.decompress((folder / "frame.rds").read_bytes())
    at = content.index(np.array([3.0, 1.0, 1.0], ">f8").tobytes())
    path = tmp_path / "x.rds"
    path.write_bytes(content[:at] + np.array([1e15], ">f8").tobytes() + content[at + 8 :])
    assert "a sequence of 1e+15 numbers" in refused(path)
