"""A YAML file says what it says, word for word."""

import pytest

from discontinuation.ingest.yaml_text import read_yaml
from discontinuation.problems import InvalidInput


def read(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_bytes(text.encode())
    return read_yaml(path, "a.yaml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("Yes", "Yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("2012-08-13", "2012-08-13"),
        (".nan", ".nan"),
        (".inf", ".inf"),
        ("true", True),
        ("-9", -9),
        ("0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("", None),
        ("'5'", "5"),
    ],
)
def test_only_plain_numbers_and_true_false_are_more_than_text(tmp_path, written, meant):
    value = read(tmp_path, f"key: {written}")["key"]
    assert value == meant
    assert type(value) is type(meant)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2", "more than once"),
        ("a: {b: 1, b: 2}", "more than once"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: [1", "cannot be used as YAML"),
        ("- 1", "a group of keys"),
        ("", "a group of keys"),
        ("a: !!python/object:os.system x", "cannot be used as YAML"),
        ("[" * 5000, "cannot be used as YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, text, words):
    with pytest.raises(InvalidInput, match=words):
        read(tmp_path, text)


def test_a_file_in_another_encoding_names_its_row(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(InvalidInput, match="row 2: is not UTF-8"):
        read_yaml(path, "a.yaml")
