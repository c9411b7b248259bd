"""What is said to a person, and how a program or a server is told: each with an end, whatever they do."""

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cosmosq.config import NotifyConfig, parse_config
from cosmosq.errors import NotDelivered
from cosmosq.notify import webhook
from cosmosq.notify.message import Message, Notice, compose
from cosmosq.notify.process import run
from cosmosq.notify.ways import Command, Desktop, Webhook, ways_of
from tests.night import wait_for
from tests.receiver import DRIP, HANG, receiving

NOW = datetime(2026, 11, 26, 3, 30, tzinfo=UTC)
GO_ON = threading.Event()


def notice(number: int, occasion: str = "job_failed", text: str = "") -> Notice:
    return Notice(
        id=number,
        at=NOW + timedelta(seconds=number),
        occasion=occasion,
        text=text or f"job {number} failed: crashed",
        host="box",
        job_id=number,
        data={"error": "crashed"},
    )


def message(*notices: Notice) -> Message:
    return compose(Path("/home/me/my night"), notices or (notice(1),), NOW)


def configured(**keys: object) -> NotifyConfig:
    return parse_config({"hosts": {"sim": {}}, "notify": keys}, source="test").notify


# Words and JSON


def test_one_alarm_is_told_in_its_own_words() -> None:
    told = message(notice(7))
    assert (told.title, told.text) == ("cosmosq: my night", "job 7 failed: crashed")


def test_many_alarms_are_counted_and_the_first_ones_told() -> None:
    told = message(*map(notice, range(1, 13)), notice(13, "queue_empty"))
    lines = told.text.splitlines()
    assert lines[0] == "13 alarms: 12 job_failed, 1 queue_empty"
    assert lines[1:3] == ["job 1 failed: crashed", "job 2 failed: crashed"]
    assert lines[-1] == "… and 3 more: `cosmosq notify list`"
    assert len(told.as_json()["alarms"]) == 13


def test_a_message_is_json_with_times_in_iso_8601() -> None:
    told = json.loads(json.dumps(message(notice(7)).as_json()))
    assert set(told) == {"workspace", "machine", "sent_at", "text", "alarms"}
    assert datetime.fromisoformat(told["sent_at"]) == NOW
    assert told["alarms"] == [
        {
            "id": 7,
            "at": "2026-11-26T03:30:07+00:00",
            "occasion": "job_failed",
            "text": "job 7 failed: crashed",
            "host": "box",
            "job_id": 7,
            "data": {"error": "crashed"},
        }
    ]


# A program


def python(tmp_path: Path, source: str) -> list[str]:
    """A command line for a program of some lines."""
    path = tmp_path / "program.py"
    path.write_text(source)
    return [sys.executable, str(path)]


def test_a_command_gets_the_message_on_stdin_and_no_shell(tmp_path: Path) -> None:
    source = "import sys, pathlib; pathlib.Path('got').write_text(sys.argv[1] + sys.stdin.read())"
    way = Command(argv=(*python(tmp_path, source), "$HOME;"), folder=tmp_path, timeout_s=30)
    way.send(message(), GO_ON)
    got = (tmp_path / "got").read_text()
    assert json.loads(got.removeprefix("$HOME;"))["text"] == "job 1 failed: crashed"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import sys; sys.exit('no mail today')", "exit code 1: no mail today"),
        ("import os; os._exit(3)", "exit code 3: without a word"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit code -9: without a word"),
    ],
)
def test_a_command_that_fails_is_quoted(tmp_path: Path, source: str, reason: str) -> None:
    with pytest.raises(NotDelivered) as refused:
        run(python(tmp_path, source), "{}", tmp_path, timeout_s=30, abandoned=GO_ON)
    assert str(refused.value) == reason


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotDelivered, match=r"^/no/such/program cannot be run: .*No such file"):
        run(["/no/such/program"], "{}", tmp_path, timeout_s=30, abandoned=GO_ON)


FORKS_AND_HANGS = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path("part").write_text(str(child.pid))
pathlib.Path("part").rename("child")
time.sleep(600)
"""


def test_a_command_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    abandoned = threading.Event()
    errors: list[Exception] = []

    def send() -> None:
        try:
            run(python(tmp_path, FORKS_AND_HANGS), "x" * 10**6, tmp_path, timeout_s=600, abandoned=abandoned)
        except NotDelivered as error:
            errors.append(error)

    thread = threading.Thread(target=send)
    thread.start()
    wait_for((tmp_path / "child").exists, "the child")
    child = int((tmp_path / "child").read_text())
    abandoned.set()
    thread.join(30)
    assert [str(error) for error in errors] == ["the worker ended meanwhile"]
    wait_for(
        lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE,
        "the end of the child",
    )


def test_a_command_has_so_long_and_no_longer(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(NotDelivered, match=r"^it took longer than 0\.3 s and was ended$"):
        run(python(tmp_path, "import time; time.sleep(600)"), "{}", tmp_path, timeout_s=0.3, abandoned=GO_ON)
    assert time.monotonic() - began < 30


def test_a_command_that_reads_nothing_and_leaves_a_child_behind_has_ended(tmp_path: Path) -> None:
    source = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(5)'])"
    began = time.monotonic()
    run(python(tmp_path, source), "x" * 10**6, tmp_path, timeout_s=60, abandoned=GO_ON)
    assert time.monotonic() - began < 5, "the child that it left was not waited for"


# A webhook


def post(url: str, *, secret: bytes | None = None, timeout_s: float = 30) -> None:
    webhook.post(url, b'{"a": 1}', secret, timeout_s=timeout_s)


def test_a_post_carries_json_and_a_signature() -> None:
    with receiving() as receiver:
        post(receiver.url, secret=b"s3cret")
        post(receiver.url)
    (signed, body), (plain, _) = receiver.requests
    assert body == b'{"a": 1}'
    assert signed["Content-Type"] == "application/json"
    # printf '{"a": 1}' | openssl dgst -sha256 -hmac s3cret
    assert signed["X-Cosmosq-Signature"] == "sha256=1a9fab6cd4b8cdcaad8640f3eca73fa924c62ff24f3833254ef3547232153767"
    assert webhook.SIGNATURE not in plain


@pytest.mark.parametrize("status", [204, 200])
def test_every_answer_of_the_200s_is_taken(status: int) -> None:
    with receiving(status) as receiver:
        post(receiver.url)


@pytest.mark.parametrize("status", [500, 404, 301, 307])
def test_any_other_answer_is_a_failure_and_a_redirect_is_not_followed(status: int) -> None:
    with receiving(status) as receiver, pytest.raises(NotDelivered, match=f"^answer {status} "):
        post(receiver.url)
    assert len(receiver.requests) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with receiving(certificate=self_signed(tmp_path / "server.pem")) as receiver:
        with pytest.raises(NotDelivered, match="self-signed certificate"):
            post(receiver.url, secret=b"s3cret")
        assert receiver.requests == [], "nothing is sent before it is known to whom"


def self_signed(path: Path) -> Path:
    """A key for 127.0.0.1 with a certificate of its own making."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    valid = (NOW.replace(year=2000), NOW.replace(year=2100))
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *valid)
    own = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    made = builder.add_extension(own, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem + made.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize("manner", [HANG, DRIP])
def test_a_server_that_hangs_or_drips_has_so_long_and_no_longer(manner: str) -> None:
    with receiving(manner) as receiver, pytest.raises(NotDelivered, match=r"^no answer within 0\.5 s$"):
        post(receiver.url, timeout_s=0.5)
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "webhook"], "the end of the call")


def test_nobody_there_is_told_without_the_address() -> None:
    with receiving() as receiver:
        url = receiver.url
    with pytest.raises(NotDelivered, match=r"^it cannot be reached: ") as refused:
        post(url)
    assert url not in str(refused.value), "addresses of webhooks are secrets themselves"


def test_nothing_is_sent_unsigned_once_there_is_to_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    with receiving() as receiver:
        for keys in ({"secret_env": "EMPTY"}, {"secret_env": "ABSENT"}, {"secret_file": "absent"}):
            (way,) = ways_of(configured(webhook=receiver.url, **keys), tmp_path)
            with pytest.raises(NotDelivered, match=rf"^notify\.{next(iter(keys))}: "):
                way.send(message(), GO_ON)
        assert receiver.requests == []


def test_a_secret_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("SECRET", "s3cret")
    with receiving() as receiver:
        for keys in ({"secret_env": "SECRET"}, {"secret_file": "secret"}):
            (way,) = ways_of(configured(webhook=receiver.url, **keys), tmp_path)
            way.send(message(), GO_ON)
    for headers, body in receiver.requests:
        assert headers[webhook.SIGNATURE] == webhook.signature(body, b"s3cret")


# The desktop, and the settings


def test_the_desktop_is_told_by_its_own_program_with_markup_defused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nfor word in "$@"; do echo "$word" >> {tmp_path}/told; done\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    Desktop(folder=tmp_path, timeout_s=30).send(message(notice(1, text="job 1 <b>failed</b> & so on")), GO_ON)
    told = (tmp_path / "told").read_text().splitlines()
    assert told == ["--app-name=cosmosq", "--", "cosmosq: my night", "job 1 &lt;b&gt;failed&lt;/b&gt; &amp; so on"]


def test_a_system_without_a_desktop_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotDelivered, match="no notify-send"):
        Desktop(folder=tmp_path, timeout_s=30).send(message(), GO_ON)


def test_the_ways_are_those_that_are_configured(tmp_path: Path) -> None:
    assert ways_of(configured(), tmp_path) == []
    ways = ways_of(configured(command="mail 'my self'", webhook="https://x.example/a", desktop=True), tmp_path)
    assert [way.name for way in ways] == ["command", "webhook", "desktop"]
    assert isinstance(ways[0], Command)
    assert ways[0].argv == ("mail", "my self")
    assert isinstance(ways[1], Webhook)
