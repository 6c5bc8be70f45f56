"""`discontinuation check` prints a summary or all problems, and says which by its exit code."""

import pytest

from discontinuation.cli import main
from ingest.small_dataset import write_dataset


def test_a_valid_dataset_ends_with_0_and_a_summary(tmp_path, capsys):
    path = write_dataset(tmp_path)
    assert main(["check", str(path), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    for line in (
        "small: no problem found.",
        "people.csv: encoding ASCII; delimiter ','",
        "4 people in 2 arms of 1 study",
        "A (maintain): 2 people",
        "recorded: 1 deterioration of 1 person",
        "assessments: read scores.csv: 6 -> 6",
        "First rows",
    ):
        assert line in said


def test_problems_end_with_1_and_every_one_of_them(tmp_path, capsys):
    path = write_dataset(tmp_path)
    (tmp_path / "scores.csv").write_text(
        "id,day,item,value\n01,0,1,9\n01,0,3,1\n", encoding="utf-8"
    )
    assert main(["check", str(path), "--data", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "2 problems in the input" in said.err
    assert "scores.csv, row 2, column value: '9': scale 1: allowed: 0 to 4" in said.err
    assert "scores.csv, row 3, column item" in said.err


def test_what_cannot_be_carried_out_ends_with_2(capsys):
    with pytest.raises(SystemExit) as end:
        main(["check"])
    assert end.value.code == 2


def test_an_unknown_dataset_offers_the_nearest_name(capsys):
    assert main(["check", "kossakowsky"]) == 1
    assert "did you mean 'kossakowski'" in capsys.readouterr().err


def test_totals_without_items_are_accepted_and_limit_what_runs(tmp_path, capsys):
    path = write_dataset(tmp_path)
    text = path.read_text(encoding="utf-8")
    text = text.replace('{items: {"1": [0, 4], "2": [0, 4]}}', "{total: [0, 52]}")
    path.write_text(text.replace("item: item", "item: {constant: total}"), encoding="utf-8")
    scores = "id,day,value\n01,0,12\n02,7,30\n"
    (tmp_path / "scores.csv").write_text(scores, encoding="utf-8")
    assert main(["check", str(path), "--data", str(tmp_path)]) == 0
    assert "scale has totals without items" in capsys.readouterr().out


def test_a_summary_shows_what_most_often_goes_unseen(tmp_path, capsys):
    path = write_dataset(tmp_path)
    text = path.read_text(encoding="utf-8")
    text = text.replace("- from: scores\n", "- from: scores\n      where: {item: [1, 2, 17]}\n")
    text += """
events:
  definitions:
    - {id: any, title: t, source: s, tag: P, counts_as: either, rule: {reported: recordet}}
"""
    path.write_text(text, encoding="utf-8")
    with (tmp_path / "scores.csv").open("a", encoding="utf-8") as stream:
        stream.write("04,200,1,1\n")
    assert main(["check", str(path), "--data", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "look again: no row has item 17" in said
    assert "the data record no 'recordet'; allowed: recorded (did you mean 'recorded'?)" in said
    assert "assessments: day 0 to 200; 0 rows before the follow-up, 1 row after it" in said
