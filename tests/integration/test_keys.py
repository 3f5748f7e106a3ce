"""Keys made at the command line, beside a running platform."""

import json
import time

import httpx

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
        deadline = time.monotonic() + 120
        while (status := client.post("/chat/completions", json=chat("Hi")).status_code) == 200:
            assert time.monotonic() < deadline, "a revoked key still works"
            time.sleep(0.1)
    assert status == 401
    assert created["key"].encode() not in (platform.data_dir / "servery.db").read_bytes()
    assert created["key"] not in platform.output


def test_a_suspended_account_is_told_in_each_dialect(platform: PlatformProcess):
    """412 with the reason on every inference endpoint and on the list of models, in the form of that API; its control
    API stays open; resumed, it is served again. So it is with a prepaid account until it has credit."""
    created = json.loads(platform.command("key", "create", "--account", "suspended", "--json").stdout)
    anthropic = {"model": chat("Hi")["model"], "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    reasons = {
        ("account", "suspend", "suspended", "--reason", "FAILED_PAYMENTS"): "past invoices are not paid",
        ("account", "set-billing", "suspended", "prepaid"): "its credits are used up",
    }
    ends = (("account", "resume", "suspended"), ("credit", "grant", "suspended", "1"))
    with platform.client(created["key"]) as client:
        for (begin, reason), end in zip(reasons.items(), ends, strict=True):
            assert client.post("/chat/completions", json=chat("Hi")).status_code == 200
            assert platform.command(*begin).returncode == 0
            _wait_for_status(client, 412)
            openai = client.post("/chat/completions", json=chat("Hi")).json()["error"]
            assert openai["code"] == "PRECONDITION_FAILED"
            assert reason in openai["message"]
            told = client.post("/messages", json=anthropic)
            assert (told.status_code, told.json()["error"]["type"]) == (412, "billing_error")
            assert reason in told.json()["error"]["message"]
            assert client.get("/models").status_code == 412
            account = client.get(f"{str(client.base_url).split('/inference')[0]}/v1/accounts/suspended")
            assert account.json()["suspendState"] in {"FAILED_PAYMENTS", "CREDIT_DEPLETED"}
            assert platform.command(*end).returncode == 0
            _wait_for_status(client, 200)


def _wait_for_status(client: httpx.Client, status: int) -> None:
    """A command's change is noticed within a second or two."""
    deadline = time.monotonic() + 120
    while client.post("/chat/completions", json=chat("Hi")).status_code != status:
        assert time.monotonic() < deadline, f"no {status}"
        time.sleep(0.1)
