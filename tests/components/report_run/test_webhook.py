"""The webhook gets a signed message, a few attempts, and no redirect; what goes wrong names no secret."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.report_run.webhook import NotDelivered, post, signature
from tests.webhook_receiver import Receiver, receiver

KEY = "a key of more than sixteen characters"
SECRET_PATH = "/services/T000/B000/secret"


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def hook(server: Receiver) -> Receiver:
    for received in (server.bodies, server.headers, server.methods, server.paths, server.statuses):
        received.clear()
    server.location = ""
    return server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in no time."""
    made: list[float] = []
    monkeypatch.setattr("components.report_run.webhook.time.sleep", made.append)
    return made


def send(hook: Receiver, key_file: str = "") -> None:
    post(hook.url + SECRET_PATH, key_file, "training-1", {"text": "done"}, (1.0, 2.0))


def test_a_message_is_signed_with_its_time(hook: Receiver, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")

    send(hook, str(key_file))

    headers, body = hook.headers[0], hook.bodies[0]
    signed = f"training-1.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(KEY.encode(), signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 600
    assert headers["webhook-id"] == "training-1"
    assert headers["Content-Type"] == "application/json"
    assert hook.messages == [{"text": "done"}]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', 1614265330)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_key_may_be_written_as_libraries_write_it(hook: Receiver, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(f"whsec_{base64.b64encode(KEY.encode()).decode()}")
    send(hook, str(key_file))
    timestamp = int(hook.headers[0]["webhook-timestamp"])
    expected = signature(KEY.encode(), "training-1", hook.bodies[0], timestamp)["webhook-signature"]
    assert hook.headers[0]["webhook-signature"] == expected


def test_without_a_key_a_message_has_no_signature(hook: Receiver) -> None:
    send(hook)
    assert hook.headers[0]["webhook-signature"] is None


def test_the_url_may_stand_in_a_file(hook: Receiver, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{hook.url}{SECRET_PATH}\n")
    post(str(file), "", "training-1", {"text": "done"})
    assert hook.paths == [SECRET_PATH]


@pytest.mark.parametrize("status", [500, 503, 429, 408])
def test_a_temporary_failure_is_tried_again_with_the_same_id(
    hook: Receiver, pauses: list[float], status: int
) -> None:
    hook.statuses += [status, status]
    send(hook)
    assert pauses == [1.0, 2.0]
    assert [headers["webhook-id"] for headers in hook.headers] == ["training-1"] * 3


@pytest.mark.usefixtures("pauses")
def test_attempts_have_a_limit(hook: Receiver) -> None:
    hook.statuses += [500] * 5
    with pytest.raises(NotDelivered, match=r"^the webhook at http://127.0.0.1: HTTP status 500$"):
        send(hook)
    assert len(hook.bodies) == 3


def test_a_refusal_is_not_tried_again(hook: Receiver) -> None:
    hook.statuses += [404]
    with pytest.raises(NotDelivered, match="HTTP status 404"):
        send(hook)
    assert len(hook.bodies) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(hook: Receiver, status: int) -> None:
    with receiver() as elsewhere:
        hook.statuses, hook.location = [status], f"{elsewhere.url}/stolen"
        with pytest.raises(NotDelivered, match=r"redirects to http://127.0.0.1, which a signed message"):
            send(hook)
        assert elsewhere.bodies == []
    assert len(hook.bodies) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1"])
def test_an_unreachable_webhook_is_named_without_its_secret_path(url: str) -> None:
    with pytest.raises(NotDelivered) as refused:
        post(url + SECRET_PATH, "", "training-1", {}, ())
    assert url.rpartition(":")[0].replace("[", "").replace("]", "") in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_missing_key_file_is_named(hook: Receiver) -> None:
    with pytest.raises(NotDelivered, match="/no/key cannot be read: No such file"):
        send(hook, "/no/key")
    assert hook.bodies == []
