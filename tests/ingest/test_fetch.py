"""A fetched file is the declared one or is not there; every failure is one sentence."""

import errno
import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import variables
from discontinuation.ingest import fetch
from discontinuation.ingest.fetch import NotFetched, downloads, fetch_file
from discontinuation.problems import InvalidInput

CONTENT = b"who,amount,when\n" + b"2,4,7\n" * 50_000
DECLARED = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"something else").hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves one file in several ways, good and bad."""

    def do_GET(self):
        self.server.asked.append(self.path)
        port = self.server.server_address[1]
        if self.path == "/missing.csv":
            self.send_error(404)
        elif self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", f"http://{self.path.removeprefix('/to/')}:{port}/good.csv")
            self.end_headers()
        elif self.path == "/round":
            self.send_response(302)
            self.send_header("Location", "/round")
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.send_content()

    def send_content(self):
        half = len(CONTENT) // 2
        self.wfile.write(CONTENT[:half])
        if self.path == "/slow.csv":
            self.wfile.flush()
            self.server.released.wait(30)
        if self.path != "/truncated.csv":
            self.wfile.write(CONTENT[half:])

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    """Keeps quiet when a client goes away in the middle of a file."""

    def handle_error(self, request, client_address):
        assert isinstance(sys.exc_info()[1], ConnectionError)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked, running.released = [], threading.Event()
        running.address = f"http://localhost:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def fetched(server, path, target, declared=DECLARED):
    return fetch_file(server.address + path, declared, target, unencrypted_hosts={"localhost"})


def refused(server, path, target, declared=DECLARED):
    """Fetch what cannot be fetched: one sentence, and nothing is left behind."""
    with pytest.raises(NotFetched) as caught:
        fetched(server, path, target, declared)
    assert not target.exists()
    assert list(target.parent.glob("*")) == list(target.parent.glob(".*")) == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_arrives_whole_and_says_how_far_it_is(server, tmp_path, caplog):
    target = tmp_path / "trial" / "csv" / "treatment.csv"
    with caplog.at_level(logging.INFO, "discontinuation"):
        assert fetched(server, "/good.csv", target) is True
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["treatment.csv"]
    shares = [record.args[1] for record in caplog.records if "%%" in record.msg]
    assert shares == sorted(set(shares))
    assert shares
    assert set(shares) <= set(range(10, 100, 10))


def test_a_right_file_is_kept_without_the_network(server, tmp_path):
    target = tmp_path / "treatment.csv"
    target.write_bytes(CONTENT)
    assert fetched(server, "/good.csv", target) is False
    assert server.asked == []


def test_a_wrong_file_is_reported_and_left_as_it_is(server, tmp_path):
    target = tmp_path / "treatment.csv"
    target.write_bytes(b"something else")
    with pytest.raises(NotFetched) as caught:
        fetched(server, "/good.csv", target)
    assert DECLARED in str(caught.value)
    assert OTHER in str(caught.value)
    assert target.read_bytes() == b"something else"
    assert server.asked == []


def test_a_folder_in_the_way_is_left(server, tmp_path):
    target = tmp_path / "treatment.csv"
    target.mkdir()
    with pytest.raises(NotFetched, match="in the way"):
        fetched(server, "/good.csv", target)


def test_another_content_is_refused_with_both_hashes(server, tmp_path):
    said = refused(server, "/good.csv", tmp_path / "treatment.csv", OTHER)
    assert DECLARED in said
    assert OTHER in said


def test_a_truncated_transfer_leaves_nothing(server, tmp_path):
    assert "broke off" in refused(server, "/truncated.csv", tmp_path / "treatment.csv")


def test_a_missing_page_is_named_by_its_code(server, tmp_path):
    assert "404 Not Found" in refused(server, "/missing.csv", tmp_path / "treatment.csv")


def test_a_server_that_is_not_there(server, tmp_path):
    server.address = "http://localhost:9"
    assert "connection" in refused(server, "/good.csv", tmp_path / "treatment.csv")


def test_a_server_that_says_nothing(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "TIMEOUT_SECONDS", 0.2)
    said = refused(server, "/slow.csv", tmp_path / "treatment.csv")
    assert "connection" in said or "did not answer" in said


def test_redirects_in_a_circle_end(server, tmp_path):
    assert "redirects" in refused(server, "/round", tmp_path / "treatment.csv")


def test_a_redirect_may_lead_elsewhere_but_not_out_of_encryption(server, tmp_path):
    target = tmp_path / "treatment.csv"
    assert "only addresses with https://" in refused(server, "/to/127.0.0.1", target)
    assert server.asked == ["/to/127.0.0.1"], "the other host was not even asked"
    assert fetched(server, "/to/localhost", target) is True


@pytest.mark.parametrize(
    "address", ["http://localhost/x.csv", "ftp://example.org/x.csv", "file:///etc/hosts", "x.csv"]
)
def test_only_encrypted_addresses_are_asked(address, tmp_path):
    with pytest.raises(NotFetched, match="only addresses with https://"):
        fetch_file(address, DECLARED, tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing(error, server, tmp_path, monkeypatch):
    def stop(self, size):
        assert (tmp_path / ".treatment.csv.part").exists()
        raise error

    monkeypatch.setattr(fetch._Progress, "update", stop)
    with pytest.raises(error):
        fetched(server, "/good.csv", tmp_path / "treatment.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_called_one(server, tmp_path, monkeypatch):
    def fill(self, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fetch._Progress, "update", fill)
    assert "no space left" in refused(server, "/good.csv", tmp_path / "treatment.csv")


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotFetched, match="cannot be written"):
        fetched(server, "/good.csv", tmp_path / "file" / "treatment.csv")


def test_a_killed_download_is_no_file_and_the_next_one_cleans_up(server, tmp_path):
    target = tmp_path / "treatment.csv"
    code = (
        "import sys; from pathlib import Path; from discontinuation.ingest.fetch import fetch_file;"
        "fetch_file(sys.argv[1], sys.argv[2], Path(sys.argv[3]), unencrypted_hosts={'localhost'})"
    )
    address = server.address + "/slow.csv"
    command = [sys.executable, "-c", code, address, DECLARED, str(target)]
    with subprocess.Popen(command, env=variables(NO_PROXY="*")) as process:
        until = time.monotonic() + 30
        while not list(tmp_path.iterdir()) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert not target.exists()
    assert fetched(server, "/good.csv", target) is True
    assert [path.name for path in tmp_path.iterdir()] == ["treatment.csv"]


def test_only_files_with_an_address_are_listed():
    files = {
        "a": {"path": "trial/csv/a.csv", "address": "https://example.org/a", "sha256": DECLARED},
        "b": {"path": "/somewhere/b.csv"},
    }
    (found,) = downloads(files, "trial.yaml")
    assert found == fetch.Download(
        Path("data/raw/trial/csv/a.csv"), "https://example.org/a", DECLARED
    )


@pytest.mark.parametrize("path", ["../a.csv", "a/../../b.csv", "/etc/a.csv", "a\\..\\b.csv"])
def test_a_path_may_not_lead_out_of_the_folder(path):
    file = {"path": path, "address": "https://example.org/a", "sha256": DECLARED}
    with pytest.raises(InvalidInput, match=r"files\.a\.path.*below data/raw"):
        downloads({"a": file}, "trial.yaml")


def test_an_address_needs_its_hash():
    with pytest.raises(InvalidInput, match=r"files\.a\.sha256: the key is missing"):
        downloads({"a": {"path": "a.csv", "address": "https://example.org/a"}}, "trial.yaml")
