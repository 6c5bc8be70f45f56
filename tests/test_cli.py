"""The command line: what it prints and how it ends."""

import subprocess
import sys

import pytest

from conftest import ROOT, variables
from discontinuation import doctor
from discontinuation.cli import main
from discontinuation.review import check_settings


def test_doctor_finds_this_installation_sound(capsys):
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "risk ratio of 135/240 against 92/238: 1.455163 (1.197240 to 1.768651)" in printed
    assert "packages agree" in printed
    assert "Everything is sound." in printed


def test_doctor_names_a_package_that_differs_from_the_lock(tmp_path, capsys):
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (tmp_path / "requirements.lock").write_text(lock.replace("pandas==2.3.3", "pandas==2.0.0"))
    findings = doctor._lock(tmp_path)
    assert list(findings) == [(False, "lock file", "pandas 2.3.3 instead of 2.0.0")]


def test_new_review_never_overwrites(tmp_path, capsys):
    assert main(["review", "new", str(tmp_path / "r")]) == 0
    before = (tmp_path / "r" / "review.xlsx").read_bytes()
    assert main(["review", "new", str(tmp_path / "r")]) == 2
    assert "left as it is" in capsys.readouterr().err
    assert (tmp_path / "r" / "review.xlsx").read_bytes() == before


def test_checking_a_folder_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["review", "check", str(tmp_path / "no")]) == 1
    assert "there is no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "config.yaml: the file is missing"),
        ("title: x\ntopic: Müdigkeit\n".encode("latin-1"), "row 2: is not UTF-8"),
        (b"title: x\nevidence:\n  confidence: 0.9\n  confidence: 0.8\n",
         "row 4: cannot be used as YAML (the key 'confidence' stands there more than once)"),
        (b"title: [x\n", "row 2: cannot be used as YAML"),
        (b"title: 2020-13-45\n", "cannot be used as YAML (month must be in 1..12)"),
        (b"- title\n", "allowed: a group of keys"),
        (b"", "allowed: a group of keys"),
    ],
)  # fmt: skip
def test_unusable_configuration_ends_a_run_before_it_starts(tmp_path, capsys, content, said):
    main(["review", "new", str(tmp_path / "r")])
    config = tmp_path / "r" / "config.yaml"
    config.unlink() if content is None else config.write_bytes(content)
    assert main(["review", "run", str(tmp_path / "r"), "--cores", "1"]) == 1
    assert said in capsys.readouterr().err


def test_new_configuration_is_usable(tmp_path):
    main(["review", "new", str(tmp_path / "r")])
    check_settings(tmp_path / "r")


@pytest.mark.parametrize("arguments", [["doctor", "--nonsense"], ["review"], ["nothing"], []])
def test_unknown_arguments_end_with_two(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0), (2, 7, 18)])
def test_reproduce_refuses_other_pythons_in_one_sentence(version):
    source = (
        "import sys, runpy\n"
        f"sys.version_info = {(*version, 'final', 0)!r}\n"
        f"runpy.run_path({str(ROOT / 'reproduce.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "discontinuation needs Python 3.11, 3.12 or 3.13; "
        f"this is Python {version[0]}.{version[1]}."
    )
    assert done.stdout == ""


def test_reproduce_explains_itself():
    done = subprocess.run(
        [sys.executable, ROOT / "reproduce.py", "--help"],
        capture_output=True, text=True, env=variables(),
    )  # fmt: skip
    assert done.returncode == 0
    assert "python3 reproduce.py test" in done.stdout
