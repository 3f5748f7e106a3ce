"""Keys made at the command line, beside a running platform."""

import json
import time

from tests.integration.platform_process import PlatformProcess, chat


def test_key_from_the_command_line_works_at_once_and_can_be_revoked(platform: PlatformProcess):
    """``servery key create --json`` prints a key that a running platform accepts at once, for an account that it opens;
    after ``key revoke`` the platform refuses it within seconds."""
    made = platform.command("key", "create", "--account", "cli-tenant", "--json")
    assert made.returncode == 0, made.stderr
    created = json.loads(made.stdout)
    with platform.client(created["key"]) as client:
        assert client.post("/chat/completions", json=chat("Hi")).status_code == 200
        revoked = platform.command("key", "revoke", created["key_id"], "--account", "cli-tenant")
        assert revoked.returncode == 0, revoked.stderr
        deadline = time.monotonic() + 10
        while (status := client.post("/chat/completions", json=chat("Hi")).status_code) == 200:
            assert time.monotonic() < deadline, "a revoked key still works"
            time.sleep(0.1)
    assert status == 401
    assert created["key"].encode() not in (platform.data_dir / "servery.db").read_bytes()
    assert created["key"] not in platform.output
