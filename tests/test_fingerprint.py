"""Fingerprints follow the code they stand for."""

import pytest

from discontinuation import fingerprint
from discontinuation.fingerprint import source_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    for name, text in {
        "a.py": "from toy.b import f",
        "b.py": "f = 1",
        "c.py": "",
        "page.html": "<p>",
    }.items():
        (tmp_path / "toy").mkdir(exist_ok=True)
        (tmp_path / "toy" / name).write_text(text)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path / "toy")
    monkeypatch.setattr(fingerprint, "PACKAGE", "toy")
    return tmp_path / "toy"


@pytest.mark.parametrize(
    ("edited", "changes"), [("a.py", True), ("b.py", True), ("c.py", False), ("page.html", False)]
)
def test_digest_follows_imports(package, edited, changes):
    before = source_digest("a")
    (package / edited).write_text("f = 2")
    assert (source_digest("a") != before) is changes


def test_digest_covers_named_data_files(package):
    before = source_digest("c", "page.html")
    (package / "page.html").write_text("<b>")
    assert source_digest("c", "page.html") != before


def test_line_ends_do_not_matter(package):
    (package / "b.py").write_bytes(b"f = 1\n")
    before = source_digest("b")
    (package / "b.py").write_bytes(b"f = 1\r\n")
    assert source_digest("b") == before


@pytest.mark.parametrize("name", ["synthesys", "report.palete", "report/no.html"])
def test_misspelt_name_is_an_error(name):
    with pytest.raises(FileNotFoundError):
        source_digest(name)
