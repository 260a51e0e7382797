"""The session's life: clients that take their time, and a stop that does not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.aws.session import AwsSession
from tests.rigs.waiting import wait_for

_SLOW = """
touch {asked}
while [ ! -e {answer} ]; do sleep 0.05; done
echo '{{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "s"}}'
"""


def test_closing_does_not_wait_for_a_client_that_is_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials may come from a program or a network that does not answer, and the journal is closed after this."""
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    (tmp_path / "program").write_text(_SLOW.format(asked=asked, answer=answer))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = sh {tmp_path}/program\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    session = AwsSession("eu-central-1", 1.0)
    with ThreadPoolExecutor() as threads:
        client = threads.submit(session.kinesis)
        try:
            wait_for(asked.exists, "the program to be asked", 30)
            threads.submit(session.close).result(timeout=5)
        finally:
            answer.touch()
        with pytest.raises(RuntimeError, match="closed"):
            client.result(timeout=30)


def test_a_client_that_is_made_while_the_session_is_closed_is_none() -> None:
    """Nobody would close its connections any more."""
    session = AwsSession("eu-central-1", 1.0)
    session.close()
    session.close()
    for client in (session.kinesis, session.dynamodb, session.s3):
        with pytest.raises(RuntimeError, match="closed"):
            client()
