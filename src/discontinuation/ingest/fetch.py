"""How does a public data file get here, whole and unchanged?"""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from discontinuation.ingest import places
from discontinuation.problems import Problem, refuse

if TYPE_CHECKING:
    import requests

TIMEOUT_SECONDS = 60
CHUNK = 1 << 16
TENTHS = 10

logger = logging.getLogger(__name__)


class NotFetched(OSError):  # noqa: N818 (named like OSError's own kinds, FileNotFoundError and the like)
    """Raised with the one reason for which a file is not here."""


@dataclass(frozen=True)
class Download:
    """A file of a dataset that has a public address."""

    target: Path
    address: str
    sha256: str


def downloads(files: Mapping[str, Mapping[str, Any]], declared_in: str) -> list[Download]:
    """List the files of a dataset that can be fetched.

    Parameters
    ----------
    files
        The `files` of its declaration.
    declared_in
        How messages call the declaration.

    Returns
    -------
    list of Download
        Each with its place under data/raw.

    Raises
    ------
    InvalidInput
        If an address has no SHA-256 to verify it with, or a path leads out of data/raw.
    """
    refuse(
        Problem(declared_in, message, column=f"files.{name}.{key}", value=value)
        for name, file in files.items()
        if "address" in file
        for key, message, value in _not_fetchable(file)
    )
    return [
        Download(places.RAW / PurePosixPath(file["path"]), file["address"], file["sha256"])
        for file in files.values()
        if "address" in file
    ]


def _not_fetchable(file: Mapping[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    if "sha256" not in file:
        yield (
            "sha256",
            "the key is missing; without it nobody can tell whether it is the file",
            None,
        )
    path = str(file["path"])
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if Path(path).is_absolute() or path.startswith(("/", "\\")) or ".." in parts or "\\" in path:
        message = (
            "allowed for a file with an address: a path below data/raw, with '/', without '..'"
        )
        yield "path", message, path


def fetch_file(
    address: str,
    sha256: str,
    target: Path,
    *,
    unencrypted_hosts: Collection[str] = (),
) -> bool:
    """Download a file, verify it, and only then put it in its place.

    The bytes go to `.<name>.part` beside the target; that file is removed whatever happens, so
    that the target is either the declared file or not there. How far it is, is logged.

    Parameters
    ----------
    address
        Where it is, https. It may redirect to other hosts, over https as well.
    sha256
        SHA-256 of the declared file, 64 hexadecimal digits.
    target
        Where it is to be. A right file that is there already is kept, without the network; a
        wrong one is reported and left as it is.
    unencrypted_hosts
        Hosts that may be asked over plain http; for a server on one's own machine.

    Returns
    -------
    bool
        Whether it was downloaded; False if it was there.

    Raises
    ------
    NotFetched
        With one sentence: an address that is not https, no connection, an answer other than
        the file, a broken transfer, another SHA-256, no space.
    """
    if target.exists():
        _compare_present(target, sha256)
        logger.info("%s is there already; nothing was downloaded", target)
        return False
    _require_encryption(address, unencrypted_hosts)
    partial = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _download(address, partial, unencrypted_hosts)
        found = places.sha256(partial)
        if found != sha256:
            raise NotFetched(
                f"{address} is not the declared file and was not kept: its SHA-256 is {found}, "
                f"the declared one {sha256}"
            )
        partial.replace(target)
    except NotFetched:
        raise
    except OSError as error:
        raise NotFetched(f"{target} cannot be written: {_why(error)}") from error
    finally:
        _remove(partial)
    logger.info("%s was downloaded from %s; its SHA-256 is the declared one", target, address)
    return True


def _compare_present(target: Path, declared: str) -> None:
    if not target.is_file():
        raise NotFetched(f"{target} is in the way: it is not a file")
    found = places.sha256(target)
    if found != declared:
        raise NotFetched(
            f"{target} is there but is not the declared file, and was left as it is: its SHA-256 "
            f"is {found}, the declared one {declared}; move it away to fetch the declared one"
        )


def _remove(partial: Path) -> None:
    """Remove what is left of a download; a folder that cannot be written holds nothing of it."""
    try:
        partial.unlink(missing_ok=True)
    except OSError:
        logger.debug("%s could not be removed", partial)


def _require_encryption(address: str, unencrypted_hosts: Collection[str]) -> None:
    parts = urlsplit(address)
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and parts.hostname in unencrypted_hosts:
        return
    raise NotFetched(f"{address} was not fetched: only addresses with https:// are")


def _download(address: str, partial: Path, unencrypted_hosts: Collection[str]) -> None:
    """Download to a file; every way in which the network fails becomes one sentence."""
    import pooch
    import requests

    answers: list[requests.Response] = []

    def follow(response: requests.Response, **_: Any) -> None:
        answers.append(response)
        if response.is_redirect:
            onwards = urljoin(response.url, response.headers["location"])
            logger.info("%s redirects to %s", response.url, onwards)
            _require_encryption(onwards, unencrypted_hosts)

    downloader = pooch.HTTPDownloader(
        progressbar=_Progress(partial.name.removeprefix(".").removesuffix(".part")),
        chunk_size=CHUNK,
        timeout=TIMEOUT_SECONDS,
        hooks={"response": follow},
    )
    try:
        downloader(address, str(partial), None)
    # Requests' errors are OSErrors, and so is a full disk, which must not be called the network.
    except requests.RequestException as error:
        raise NotFetched(f"{address} was not fetched: {_reason(error)}") from error
    finally:
        for answer in answers:
            answer.close()


def _reason(error: requests.RequestException) -> str:
    """Say in a few words what the network did."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    # The first that fits: those further down hold those above.
    for kind, words in (
        (exceptions.Timeout, f"the server did not answer within {TIMEOUT_SECONDS} seconds"),
        (exceptions.ChunkedEncodingError, "the transfer broke off before the end of the file"),
        (exceptions.SSLError, "the server's certificate could not be verified"),
        (exceptions.ConnectionError, "the connection to the server failed; is there a network?"),
    ):
        if isinstance(error, kind):
            return words
    return " ".join(str(error).split())


def _why(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "there is no space left"
    return error.strerror or str(error)


@dataclass
class _Progress:
    """Logs every tenth of a download, in the form in which pooch reports it."""

    name: str
    total: int = 0
    done: int = 0
    said: int = field(default=0, repr=False)

    def update(self, size: int) -> None:
        """Take note of further bytes."""
        self.done += size
        tenth = TENTHS * self.done // self.total if self.total else 0
        if self.said < tenth < TENTHS:
            self.said = tenth
            logger.info("%s: %d %% of %s bytes", self.name, 10 * tenth, f"{self.total:,}")

    def reset(self) -> None:
        """Start again from nothing: pooch does so before it reports the end."""
        self.done = 0

    def close(self) -> None:
        """Nothing is held open."""
