"""The download's own process (``python -m servery.fleet.hub_download``): brings a model from the Hugging Face hub.

Reads one JSON line from standard input (a ``HubOrder``), shows its progress on standard error where that is a
terminal, answers with one JSON line on standard output (``HubFiles`` or ``HubRefusal``), and ends; also when standard
input closes before. A process of its own, so that the platform's never loads the hub's library.

Where the hub is, with which token and through which proxy it is asked, are that library's own variables (``HF_*``).
"""

import os
import signal
import threading
import time
from pathlib import Path
from typing import Final

import httpx2
import msgspec
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from servery.fleet.gguf_choice import choose_files
from servery.fleet.hub_order import HubFiles, HubOrder, HubRefusal
from servery.fleet.platform_pipe import read_order_line, when_closed, write_reply_line
from servery.fleet.weights_unavailable import WeightsUnavailable

_CLEANUP_S: Final = 4.0
"""How long an interrupted download has to remove what it has written."""


def download(order: HubOrder) -> tuple[str, ...]:
    """Bring the model's files to ``<directory>/<repository>/`` and return their paths. Files of this version that
    are there already are not loaded again. Raises WeightsUnavailable.

    One process at a time may work on a directory.
    """
    repository = order.repository
    directory = Path(order.directory) / repository
    try:
        found = HfApi().model_info(repository, timeout=constants.DEFAULT_REQUEST_TIMEOUT)
        names = choose_files((file.rfilename for file in found.siblings or ()), order.quantization)
        _remove_leftovers(directory)
        return tuple(hf_hub_download(repository, name, revision=found.sha, local_dir=directory) for name in names)
    except WeightsUnavailable as error:
        raise WeightsUnavailable(f"{repository} {error}") from error
    except (httpx2.HTTPError, OSError, ValueError, RuntimeError) as error:
        # The hub's client raises the first three; its faster way of transfer also the last.
        raise WeightsUnavailable(_reason(error, repository)) from error


def _remove_leftovers(directory: Path) -> None:
    """What a download that was killed has left: the library never goes on with it, and it may be large."""
    for partial in directory.glob(".cache/huggingface/download/**/*.incomplete"):
        partial.unlink(missing_ok=True)


def _reason(error: Exception, repository: str) -> str:
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        return _reason(error.__cause__, repository)
    if isinstance(error, HfHubHTTPError):
        return _refusal(error, repository)
    if isinstance(error, HFValidationError):
        return f"{repository!r} is not a name that the hub can have"
    if isinstance(error, httpx2.HTTPError):
        return f"no connection to {constants.ENDPOINT} for {repository}: {_first_line(error)}"
    return f"{repository}: {_first_line(error)}"


def _refusal(error: HfHubHTTPError, repository: str) -> str:
    """The hub's own no, and what the operator can do about it."""
    hub, status = constants.ENDPOINT, error.response.status_code
    if isinstance(error, GatedRepoError):
        return f"{repository} asks to accept its terms: do so on its page at {hub}, and set HF_TOKEN to your token"
    if isinstance(error, RepositoryNotFoundError):
        return f"{hub} has no repository {repository}, or it is a private one: then set HF_TOKEN to your token"
    if status in {401, 403}:
        return f"{hub} refuses {repository}: set HF_TOKEN to a token that may read it"
    return f"{hub} answered {status} when asked for {repository}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def main() -> None:
    """Download, and tell how it went."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a child of a background job is born without it
    order = msgspec.json.decode(read_order_line(), type=HubOrder)
    when_closed(_leave)
    reply: HubFiles | HubRefusal
    try:
        reply = HubFiles(download(order))
    except WeightsUnavailable as error:
        reply = HubRefusal(str(error))
    except KeyboardInterrupt:
        raise SystemExit(1) from None
    write_reply_line(msgspec.json.encode(reply))


def _leave() -> None:
    """Interrupt the download, so that it cleans up; end in any case."""
    main_thread = threading.main_thread().ident
    assert main_thread is not None, "the main thread has been started"
    signal.pthread_kill(main_thread, signal.SIGINT)
    time.sleep(_CLEANUP_S)
    os._exit(1)


if __name__ == "__main__":
    main()
