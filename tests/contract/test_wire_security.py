"""Who may call a code server: a shared token, TLS and mutual TLS, over real channels."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.contract.wire_backend import Backend

from dagwright_shared.model.channels import OPEN, ChannelSecurity
from dagwright_shared.model.errors import SettingsError, UnavailableError
from dagwright_shared.runtime import settings
from dagwright_shared.wire.client import LocationClient, Timeouts
from dagwright_shared.wire.serving import bind

pytestmark = pytest.mark.contract
SECONDS = Timeouts(read=60)


@contextmanager
def serving(security: ChannelSecurity) -> Iterator[str]:
    server, port = bind(Backend(), "127.0.0.1:0", max_workers=4, security=security)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        self.cert = self._sign(self._name, self._key, ca=True)

    @property
    def pem(self) -> bytes:
        return self.cert.public_bytes(serialization.Encoding.PEM)

    def issue(self) -> tuple[bytes, bytes]:
        """A certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "service")]), key, ca=False)
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return cert.public_bytes(serialization.Encoding.PEM), secret

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        made = made.not_valid_after(now + datetime.timedelta(hours=1)).add_extension(x509.BasicConstraints(ca=ca, path_length=None), True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return made.add_extension(names, critical=False).sign(self._key, hashes.SHA256())


def test_a_shared_token() -> None:
    with serving(ChannelSecurity(token="right")) as address:
        with LocationClient(address, timeouts=SECONDS, security=ChannelSecurity(token="right")) as client:
            assert client.location().location
            assert next(client.watch()).location
        for wrong in (OPEN, ChannelSecurity(token="wrong"), ChannelSecurity(token="right ")):
            with LocationClient(address, timeouts=SECONDS, security=wrong) as client:
                for call in (client.location, client.snapshot, client.reload, lambda client=client: next(client.watch())):
                    with pytest.raises(UnavailableError, match="DAGWRIGHT_CODE_SERVER_TOKEN"):
                        call()


def test_health_demands_the_token_too() -> None:
    with serving(ChannelSecurity(token="right")) as address, grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(), timeout=60)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=60, metadata=(("authorization", "Bearer right"),))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_mutual_tls() -> None:
    ours, theirs = Authority(), Authority()
    cert, key = ours.issue()
    with serving(ChannelSecurity(cert=cert, key=key, ca=ours.pem)) as address:
        mine, secret = ours.issue()
        with LocationClient(address, timeouts=SECONDS, security=ChannelSecurity(cert=mine, key=secret, ca=ours.pem)) as client:
            assert client.location().location
        foreign, foreign_key = theirs.issue()
        for wrong in (
            OPEN,  # no TLS
            ChannelSecurity(ca=ours.pem),  # no certificate
            ChannelSecurity(cert=foreign, key=foreign_key, ca=ours.pem),  # of another authority
            ChannelSecurity(cert=mine, key=secret, ca=theirs.pem),  # does not know the server
        ):
            with LocationClient(address, timeouts=Timeouts(read=3), security=wrong) as client, pytest.raises(UnavailableError):
                client.location()


def test_tls_with_a_token() -> None:
    authority = Authority()
    cert, key = authority.issue()
    with serving(ChannelSecurity(cert=cert, key=key, token="right")) as address:
        with LocationClient(address, timeouts=SECONDS, security=ChannelSecurity(ca=authority.pem, token="right")) as client:
            assert client.location().location
        with (
            LocationClient(address, timeouts=SECONDS, security=ChannelSecurity(ca=authority.pem)) as client,
            pytest.raises(UnavailableError),
        ):
            client.location()


def test_nothing_is_shown() -> None:
    assert "right" not in repr(ChannelSecurity(token="right", key=b"right"))


def test_binding_for_others(tmp_path: Path) -> None:
    config = settings.load(code_server_host="0.0.0.0")
    with pytest.raises(SettingsError, match="DAGWRIGHT_CODE_SERVER_TOKEN"):
        settings.check_code_server(config, OPEN)
    with pytest.raises(SettingsError, match="could not tell who calls"):
        settings.check_code_server(config, ChannelSecurity(cert=b"", key=b""))  # TLS alone lets everybody in
    settings.check_code_server(config, ChannelSecurity(token="x"))
    settings.check_code_server(config, ChannelSecurity(cert=b"", key=b"", ca=b""))
    settings.check_code_server(settings.load(), OPEN)
    settings.check_code_server(settings.load(code_server_host="0.0.0.0", code_server_allow_unauthenticated=True), OPEN)
    with pytest.raises(SettingsError, match="go together"):
        settings.channel_security(settings.load(code_server_tls_cert=tmp_path / "cert"))
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.channel_security(settings.load(code_server_tls_ca=tmp_path / "nothing.pem"))
