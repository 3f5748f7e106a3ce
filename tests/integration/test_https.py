"""HTTPS with a certificate of one's own, and compressed bodies."""

import gzip
import json
import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.integration.platform_process import PlatformProcess, chat


def make_certificate(directory: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        assert "CI" not in os.environ, "openssl is missing"
        pytest.skip("openssl is not installed: apt-get install openssl")
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def test_https(tmp_path: Path) -> None:
    """With certificate and key the platform speaks HTTPS, streams included; a plain request is not answered."""
    certificate, key = make_certificate(tmp_path)
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--header-timeout-s", "5"]
    with PlatformProcess(tmp_path / "data", *options) as platform:
        trusting, port = ssl.create_default_context(cafile=str(certificate)), httpx.URL(platform.base_url).port
        with (
            socket.create_connection(("127.0.0.1", port), timeout=60) as silent,
            socket.create_connection(("127.0.0.1", port), timeout=60) as slow,
            httpx.Client(verify=trusting, headers={"Authorization": f"Bearer {platform.key}"}, timeout=60) as client,
        ):
            slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01")  # half of a handshake's first message
            url = f"{platform.base_url}/v1/chat/completions"
            assert url.startswith("https://")
            assert client.post(url, json=chat("Who are you?")).status_code == 200
            assert "[DONE]" in client.post(url, json=chat("Who are you?", stream=True)).text
            for one in (silent, slow):
                assert one.recv(1) == b"", "a handshake has as long as a request's head"


def test_compressed_body(platform: PlatformProcess) -> None:
    """A gzipped request is served like a plain one."""
    body = gzip.compress(json.dumps(chat("Who are you?")).encode())
    with platform.client() as client:
        answer = client.post("/chat/completions", content=body, headers={"content-encoding": "gzip"})
    assert answer.status_code == 200
