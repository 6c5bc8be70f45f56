"""The command line: what it prints and how it ends."""

import subprocess
import sys

import pytest

from conftest import ROOT, variables
from discontinuation import doctor
from discontinuation.cli import main


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
