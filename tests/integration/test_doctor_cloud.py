"""The self-test against a local AWS: reached, not there, wrong keys, wrong clock, a list of somebody else's."""

import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cloud.local.server import LocalAws, client_environment
from tests.rigs import site as door_site
from tests.rigs.daemon import Daemon
from tests.rigs.doctor import DOOR, Told, controller, doctor
from tests.rigs.local_aws import AwsPlace
from tests.rigs.site_lists import Site

pytestmark = pytest.mark.system

SERVICES = ("kinesis", "dynamodb", "s3")


def _controller(tmp_path: Path, aws: AwsPlace, site: Site) -> Daemon:
    """A controller of this site, whose lists are in this place."""
    body = f"""
{DOOR}
[aws]
region = "eu-central-1"
stream = "{aws.stream}"
table = "{aws.table}"
bucket = "{aws.bucket}"
"""
    public = site.key.public_key().public_bytes_raw().hex()
    daemon = controller(tmp_path, body, keys=door_site.KEYS | {"list-verify.pub": public})
    daemon.config.write_text(daemon.config.read_text().replace('site = "hq"', f'site = "{site.name}"'))
    return daemon


@pytest.fixture
def site(aws: AwsPlace) -> Site:
    """A site that has published a list."""
    made = Site(f"site-{uuid4().hex[:8]}")
    snapshot = made.snapshot(3, range(10))
    aws.publish(made, snapshot, made.head(3, snapshot))
    return made


def _endpoints(told: Told) -> Mapping[str, str]:
    return {item["what"].partition(":")[0]: item["verdict"] for item in told.lines("cloud", "endpoint")}


def test_reached_cloud_passes(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site) -> None:
    """Endpoints, credentials, head and snapshot; the stream is not written to, and no secret is shown."""
    records = aws.records()
    told = doctor(_controller(tmp_path, aws, site).config, local_aws.environment())
    assert told.failed() == set()
    assert _endpoints(told) == dict.fromkeys(SERVICES, "pass")
    assert told.line("cloud", "credentials")["what"] == "found by way of env"
    assert told.line("cloud", "list")["what"].startswith("epoch 1, version 3, signed by the site")
    assert told.line("cloud", "stream")["what"].startswith("not tried")
    assert told.line("clock", "skew")["verdict"] == "pass"
    assert aws.records() == records


@pytest.mark.parametrize(("shift", "expected"), [("-2d", "s behind"), ("+2d", "s ahead of")])
def test_wrong_clock_is_told_by_the_clouds(
    tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site, shift: str, expected: str
) -> None:
    """Two days off: plausible by itself, wrong against the Date of an answer."""
    config = _controller(tmp_path, aws, site).config
    told = doctor(config, local_aws.environment(), prefix=["faketime", "-f", shift])
    line = told.line("clock", "skew")
    assert line["verdict"] == "fail"
    assert expected in line["what"]
    assert 172_000 < int(line["what"].split()[0]) < 173_600


def test_wrong_keys_are_told(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site) -> None:
    """The hosts answer, the question is refused, and the clock is named as the other cause."""
    environment = client_environment(local_aws.endpoint, "AKIAWRONGWRONGWRONG1", "a-secret-that-nobody-knows")
    told = doctor(_controller(tmp_path, aws, site).config, environment)
    assert told.failed() == {("cloud", "list")}
    line = told.line("cloud", "list")
    assert line["what"].startswith("GetItem: ")
    assert line["remedy"].startswith("Check the clock first")
    assert "a-secret-that-nobody-knows" not in str(told.report)


def test_no_keys_are_told(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site) -> None:
    """Without credentials nothing more is asked."""
    environment = dict(local_aws.environment())
    # Empty counts as absent, and can't be undone by this process's own variables.
    environment |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    told = doctor(_controller(tmp_path, aws, site).config, environment)
    assert told.failed() == {("cloud", "credentials")}
    assert told.lines("cloud", "list") == []


def test_list_of_another_signer_is_told(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site) -> None:
    """The table answers, but not with what this controller's key signed."""
    stranger = _controller(tmp_path, aws, Site(site.name))
    told = doctor(stranger.config, local_aws.environment())
    assert told.failed() == {("cloud", "list")}
    assert "not one of this site's" in told.line("cloud", "list")["what"]


def test_site_without_a_list_is_told(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace) -> None:
    """A warning: the door is ready, the site is not."""
    told = doctor(_controller(tmp_path, aws, Site(f"site-{uuid4().hex[:8]}")).config, local_aws.environment())
    assert told.failed() == set()
    assert told.line("cloud", "list")["verdict"] == "warn"


def test_missing_table_and_snapshot_are_told(tmp_path: Path, local_aws: LocalAws, aws: AwsPlace, site: Site) -> None:
    """Each with the operation that was refused."""
    daemon = _controller(tmp_path, aws, site)
    good = daemon.config.read_text()
    daemon.config.write_text(good.replace(f'table = "{aws.table}"', 'table = "no-such-table"'))
    assert "GetItem" in doctor(daemon.config, local_aws.environment()).line("cloud", "list")["what"]
    daemon.config.write_text(good.replace(f'bucket = "{aws.bucket}"', 'bucket = "no-such-bucket"'))
    assert "HeadObject" in doctor(daemon.config, local_aws.environment()).line("cloud", "list")["what"]


def test_cloud_that_is_not_there_is_told(tmp_path: Path, aws: AwsPlace, site: Site) -> None:
    """A closed port, and a name that has no address."""
    environment = dict(client_environment("http://127.0.0.1:9", "AKIAKEYKEYKEYKEYKEY1", "secret"))
    environment["AWS_ENDPOINT_URL_S3"] = "http://no-such-host.invalid"
    told = doctor(_controller(tmp_path, aws, site).config, environment)
    assert _endpoints(told) == dict.fromkeys(SERVICES, "fail")
    whats = [item["what"] for item in told.lines("cloud", "endpoint")]
    assert "127.0.0.1:9" in whats[0]
    assert "no-such-host.invalid has no address" in whats[2]
    assert told.lines("clock", "skew") == []


class _Answering(BaseHTTPRequestHandler):
    """Says yes to everything, also as a proxy, and then has a body without end."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(64 * 1024))

    def log_message(self, *_words: object) -> None:
        """Nothing."""


@contextmanager
def _answering_host(certificate: Path | None = None) -> Iterator[int]:
    """A port of this machine that answers; over TLS with this certificate and key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, name="answering-host")
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(path: Path) -> Path:
    """Of localhost, signed by itself, good from now for a day; with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*form) + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_certificate_is_checked_and_its_refusal_points_to_the_clock(tmp_path: Path, aws: AwsPlace, site: Site) -> None:
    """Good with the bundle that AWS_CA_BUNDLE names; refused without it, and refused two days before it was made."""
    config, pem = _controller(tmp_path, aws, site).config, _certificate(tmp_path / "host.pem")
    with _answering_host(pem) as port:
        environment = dict(client_environment(f"https://localhost:{port}", "AKIAKEYKEYKEYKEYKEY1", "secret"))
        trusting = environment | {"AWS_CA_BUNDLE": str(pem)}
        assert _endpoints(doctor(config, trusting)) == dict.fromkeys(SERVICES, "pass")
        early = doctor(config, trusting, prefix=["faketime", "-f", "-2d"])
        unknown = doctor(config, environment)
    for told in (early, unknown):
        assert _endpoints(told) == dict.fromkeys(SERVICES, "fail")
        line = told.lines("cloud", "endpoint")[0]
        assert "certificate" in line["what"]
        assert line["remedy"].startswith("Check the clock")


def test_proxy_is_used_as_the_agent_does_and_its_password_not_shown(tmp_path: Path, aws: AwsPlace, site: Site) -> None:
    """Names need no address here then. What the host sends on end is not read."""
    with _answering_host() as port:
        environment = dict(client_environment("http://cloud.invalid", "AKIAKEYKEYKEYKEYKEY1", "secret"))
        environment["HTTP_PROXY"] = environment["http_proxy"] = f"http://door:sesame@127.0.0.1:{port}"
        told = doctor(_controller(tmp_path, aws, site).config, environment)
    assert _endpoints(told) == dict.fromkeys(SERVICES, "pass")
    assert all(f"through 127.0.0.1:{port}" in item["what"] for item in told.lines("cloud", "endpoint"))
    assert "sesame" not in str(told.report)


@contextmanager
def _silent_host() -> Iterator[str]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_cloud_that_never_answers_is_told_in_time(tmp_path: Path, aws: AwsPlace, site: Site) -> None:
    """Each question is bounded by itself, and the check as a whole."""
    with _silent_host() as url:
        told = doctor(
            _controller(tmp_path, aws, site).config, client_environment(url, "AKIAKEYKEYKEYKEYKEY1", "secret")
        )
    assert ("cloud", "endpoint") in told.failed()
    assert "Read timeout" in told.lines("cloud", "endpoint")[0]["what"]
