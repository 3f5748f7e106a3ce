"""A platform's end in its process."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.child_environment import child_environment
from tests.gateways.gateway import free_port, write_catalog

SERVES = """
import os, sys
from servery.run import serve
from servery.settings import read_settings

class Last:  # goes when the interpreter has given up its signal handlers
    ask_again = staticmethod(os.kill)
    names, process, say = (15, 2, 1), os.getpid(), staticmethod(os.write)

    def __del__(self):
        for name in self.names:
            self.ask_again(self.process, name)
        self.say(2, b"asked")

sys.last = Last()
sys.exit(serve(read_settings({"data_dir": sys.argv[1], "catalog": sys.argv[2], "port": "0"})))
"""


def test_who_asks_again_when_all_is_done_does_not_make_it_a_failure(tmp_path: Path) -> None:
    """Not even of a platform that was told to end while it was waiting for its engines."""
    catalog = write_catalog(tmp_path / "catalog.yaml", [free_port()])
    command = [sys.executable, "-c", SERVES, str(tmp_path / "data"), str(catalog)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=child_environment()) as process:
        assert process.stdout is not None
        while b"starting engines" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said, complaints = process.communicate(timeout=180)
    assert process.returncode == 0
    assert (said.endswith(b"Stopped.\n"), complaints) == (True, b"asked")
