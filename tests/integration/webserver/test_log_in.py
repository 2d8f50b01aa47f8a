"""Logging in and out: passwords, sessions, API tokens, CSRF, rate limits, OpenID Connect, the audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from sqlalchemy import Engine, text
from tests.integration.webserver import people
from tests.integration.webserver.conftest import Running, problems
from tests.integration.webserver.provider import Provider

from dagwright_shared.model.access import Grant, Role
from dagwright_shared.model.errors import SettingsError
from dagwright_shared.runtime import passwords, settings
from dagwright_shared.store import sign_in_attempts, users
from dagwright_webserver import access, edge, oidc

pytestmark = pytest.mark.integration
PASSWORD = "correct horse battery"


@pytest.fixture
def local(store: Engine, database_url: str) -> Iterator[Running]:
    with store.begin() as conn:
        users.create(conn, "Ada", Grant(role=Role.ADMIN), password_hash=passwords.hashed(PASSWORD))
        users.create(conn, "vera", Grant(role=Role.VIEWER), password_hash=passwords.hashed(PASSWORD))
    with Running(database_url=database_url, auth="local") as running:
        yield running


@pytest.fixture
def browser(local: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=local.url, timeout=60, trust_env=False, headers={"Accept": "text/html"}) as client:
        yield client


def enter(client: httpx.Client, name: str = "ada", password: str = PASSWORD, **more: str) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password, **more})


def csrf(client: httpx.Client) -> dict[str, str]:
    return {"X-CSRF-Token": client.get("/api/v1/me").json()["csrf_token"]}


def test_a_page_leads_to_the_log_in_and_back(browser: httpx.Client) -> None:
    asked = browser.get("/runs?status=FAILURE")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/login?next=%2Fruns%3Fstatus%3DFAILURE"
    page = browser.get(asked.headers["location"])
    assert page.status_code == 200
    found = re.search(r'name="next" value="([^"]*)"', page.text)
    assert found is not None
    entered = enter(browser, next=found.group(1))
    assert (entered.status_code, entered.headers["location"]) == (303, "/runs?status=FAILURE")
    cookie = entered.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    shown = browser.get("/runs?status=FAILURE")
    assert shown.status_code == 200
    assert "Ada" in shown.text
    refreshed = httpx.get(f"{browser.base_url}/runs?_part=runs_table", headers={"HX-Request": "true"}, trust_env=False, timeout=60)
    assert refreshed.status_code == 401
    assert refreshed.headers["hx-redirect"].startswith("/login?next=")


def test_a_wrong_password_and_an_unknown_name_look_the_same(browser: httpx.Client, store: Engine) -> None:
    answers = [enter(browser, name, "not the password at all") for name in ("ada", "nobody")]
    assert [each.status_code for each in answers] == [401, 401]
    assert answers[0].text.replace("ada", "") == answers[1].text.replace("nobody", "")
    assert "The name or the password is wrong" in answers[0].text
    with store.connect() as conn:
        told = conn.execute(text("SELECT action, target, result FROM audit_log ORDER BY audit_id")).all()
    assert told == [("log_in", "ada", "failed"), ("log_in", "nobody", "failed")]


def test_guessing_ends(browser: httpx.Client) -> None:
    for _ in range(sign_in_attempts.PER_PAIR):
        assert enter(browser, "vera", "guess").status_code == 401
    refused = enter(browser, "VERA")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 60
    assert "Too many attempts" in refused.text
    api = browser.post("/api/v1/session", json={"name": "vera", "password": PASSWORD})
    problems(api, 429)
    assert enter(browser).status_code == 303, "others are not kept out"


def test_guessing_keeps_nobody_out(store: Engine, database_url: str) -> None:
    with store.begin() as conn:
        users.create(conn, "Ada", Grant(role=Role.ADMIN), password_hash=passwords.hashed(PASSWORD))
    with Running(database_url=database_url, auth="local", trusted_proxies=("127.0.0.0/8",)) as running:

        def come(address: str, password: str) -> int:
            with httpx.Client(
                base_url=running.url, timeout=60, trust_env=False, headers={"X-Forwarded-For": f"198.51.100.9, {address}"}
            ) as client:
                return enter(client, password=password).status_code

        assert [come("203.0.113.1", "guess") for _ in range(sign_in_attempts.PER_PAIR)] == [401] * sign_in_attempts.PER_PAIR
        assert come("203.0.113.1", PASSWORD) == 429
        assert come("203.0.113.2", PASSWORD) == 303, "from elsewhere it goes on"
        with store.begin() as conn:
            conn.execute(
                text("INSERT INTO sign_in_attempts (account, address) SELECT 'ada', '192.0.2.' || n FROM generate_series(1, :n) n"),
                {"n": sign_in_attempts.PER_ACCOUNT},
            )
        assert come("203.0.113.3", PASSWORD) == 429, "guesses from many addresses"
        assert come("203.0.113.2", PASSWORD) == 303, "but not where there is a session"
        with store.connect() as conn:
            known = conn.execute(text("SELECT DISTINCT address FROM sessions")).scalars().all()
        assert known == ["203.0.113.2"]


def test_forwarded_addresses_are_believed_of_named_proxies_only(browser: httpx.Client, store: Engine) -> None:
    entered = browser.post(
        "/login", data={"name": "ada", "password": PASSWORD}, headers={"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "https"}
    )
    assert entered.status_code == 303
    with store.connect() as conn:
        assert conn.execute(text("SELECT address FROM sessions")).scalars().all() == ["127.0.0.1"]
    with pytest.raises(SettingsError, match="DAGWRIGHT_TRUSTED_PROXIES"):
        edge.check_binding(settings.load(trusted_proxies=("10.0.0.0/8", "proxy.example")))


def test_a_session_begins_anew_and_ends(browser: httpx.Client, store: Engine) -> None:
    enter(browser)
    first = dict(browser.cookies)
    enter(browser)
    second = dict(browser.cookies)
    assert first != second
    old = httpx.get(f"{browser.base_url}/api/v1/me", cookies=first, trust_env=False, timeout=60)
    assert old.status_code == 401, "the session before has ended"
    with store.connect() as conn:
        kept = conn.execute(text("SELECT session_hash FROM sessions")).scalars().all()
    assert len(kept) == 1
    assert not set(second.values()) & set(kept), "only a hash is stored"
    token = csrf(browser)["X-CSRF-Token"]
    assert browser.post("/logout", data={"csrf": "wrong"}).status_code == 403
    out = browser.post("/logout", data={"csrf": token})
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    again = httpx.get(f"{browser.base_url}/api/v1/me", cookies=second, trust_env=False, timeout=60)
    assert again.status_code == 401


def test_sessions_end_by_time(browser: httpx.Client, local: Running, store: Engine) -> None:
    enter(browser)
    for column, value in (("seen_at", "clock_timestamp() - interval '25 h'"), ("expires_at", "clock_timestamp() - interval '1 s'")):
        assert browser.get("/api/v1/me").status_code == 200
        with store.begin() as conn:
            conn.execute(text(f"UPDATE sessions SET {column} = {value}"))
        local.app.state.web.identities.clear()
        assert browser.get("/api/v1/me").status_code == 401
        enter(browser)


def test_changes_by_a_session_need_its_token(browser: httpx.Client) -> None:
    enter(browser)
    body = {"job": "ping", "location": "flights"}
    assert browser.post("/api/v1/runs", json=body).status_code == 403
    assert browser.post("/api/v1/runs", json=body, headers={"X-CSRF-Token": "wrong"}).status_code == 403
    good = csrf(browser)
    assert browser.post("/api/v1/runs", json=body, headers=good | {"Origin": "http://evil.example"}).status_code == 403
    assert browser.post("/api/v1/runs", json=body, headers=good).status_code == 201
    page = browser.get("/")
    assert f'<meta name="csrf-token" content="{good["X-CSRF-Token"]}">' in page.text


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "/login"])
def test_the_way_back_stays_here(browser: httpx.Client, next: str) -> None:
    assert enter(browser, next=next).headers["location"] == "/"
    assert access.safe_next(next) == "/"


def test_api_tokens_live_and_die(browser: httpx.Client, local: Running, store: Engine) -> None:
    enter(browser)
    headers = csrf(browser)
    body = {"name": "ci", "role": "launcher", "locations": ["flights"], "expires_in_days": 1}
    made = browser.post("/api/v1/tokens", json=body, headers=headers).json()
    assert made["token"].startswith("dgw_")
    with store.connect() as conn:
        row = conn.execute(text("SELECT * FROM api_tokens")).one()
    assert made["token"] not in str(row)
    assert made["token"].startswith(row.prefix)
    sent = {"Authorization": f"Bearer {made['token']}"}
    with httpx.Client(base_url=f"{local.url}/api/v1", headers=sent, trust_env=False, timeout=60) as program:
        assert program.post("/runs", json={"job": "ping", "location": "flights"}).status_code == 201
        assert program.post("/runs", json={"job": "ping", "location": "twin"}).status_code == 403
        assert program.post("/schedules/nightly/start").status_code == 403
        assert program.post("/tokens", json={"name": "more"}).status_code == 403
        assert program.get("/users").status_code == 403
        listed = browser.get("/api/v1/tokens").json()["items"]
        assert listed[0]["used_at"] is not None
        assert browser.delete(f"/api/v1/tokens/{listed[0]['token_id']}", headers=headers).status_code == 204
        problems(program.get("/runs"), 401)
    wrong = httpx.get(f"{local.url}/api/v1/runs", headers={"Authorization": "Bearer dgw_nothing"}, trust_env=False, timeout=60)
    assert wrong.headers["www-authenticate"] == "Bearer"


def test_a_disabled_user_is_out_at_once(browser: httpx.Client, local: Running, store: Engine) -> None:
    headers = people.hire(store)
    enter(browser)
    other = {**headers["editor"]}
    assert httpx.get(f"{local.url}/api/v1/runs", headers=other, trust_env=False, timeout=60).status_code == 200
    assert browser.patch("/api/v1/users/editor", json={"disabled": True}, headers=csrf(browser)).status_code == 200
    assert httpx.get(f"{local.url}/api/v1/runs", headers=other, trust_env=False, timeout=60).status_code == 401


def test_users_are_managed(browser: httpx.Client, store: Engine) -> None:
    enter(browser)
    headers = csrf(browser)
    body = {"name": "bob", "role": "viewer", "location_roles": {"twin": None}, "password": "a good long one"}
    assert browser.post("/api/v1/users", json=body, headers=headers).status_code == 201
    problems(browser.post("/api/v1/users", json=body | {"name": "BOB"}, headers=headers), 409)
    assert "password" in problems(browser.post("/api/v1/users", json=body | {"name": "c", "password": "short"}, headers=headers))
    assert "name" in problems(browser.post("/api/v1/users", json={"name": "a/b"}, headers=headers))
    changed = browser.patch("/api/v1/users/bob", json={"role": "editor"}, headers=headers).json()
    assert (changed["role"], changed["location_roles"]) == ("editor", {"twin": None})
    problems(browser.patch("/api/v1/users/ada", json={"role": "viewer"}, headers=headers), 409)
    problems(browser.delete("/api/v1/users/ada", headers=headers), 409)
    assert browser.delete("/api/v1/users/bob", headers=headers).status_code == 204
    problems(browser.get("/api/v1/users/bob"), 404)
    log = browser.get("/api/v1/audit").json()["items"]
    told = [(each["actor"], each["action"], each["target"], each["result"]) for each in log]
    assert ("Ada", "delete_user", "bob", "done") in told
    assert ("Ada", "change_user", "bob", "done") in told
    assert all(each["request_id"] and each["address"] == "127.0.0.1" for each in log)
    change = next(each for each in log if each["action"] == "change_user")
    assert (change["before"]["role"], change["after"]["role"]) == ("viewer", "editor")
    with store.connect() as conn:
        everything = str(conn.execute(text("SELECT * FROM audit_log")).all())
    assert "a good long one" not in everything


def test_passwords_change(browser: httpx.Client, local: Running) -> None:
    enter(browser, "vera")
    headers = csrf(browser)
    with httpx.Client(base_url=local.url, trust_env=False, timeout=60) as other:
        enter(other, "vera")
        assert "current" in problems(browser.put("/api/v1/me/password", json={"current": "x", "new": "another good one"}, headers=headers))
        assert browser.put("/api/v1/me/password", json={"current": PASSWORD, "new": "another good one"}, headers=headers).status_code == 204
        assert other.get("/api/v1/me").status_code == 401, "other sessions end"
    assert browser.get("/api/v1/me").status_code == 200, "this one does not"
    assert browser.patch("/api/v1/me", json={"time_zone": "Europe/Berlin"}, headers=headers).json()["time_zone"] == "Europe/Berlin"
    assert problems(browser.patch("/api/v1/me", json={"time_zone": "Berlin"}, headers=headers))["time_zone"]["suggestion"]


def test_every_page_of_it_is_shown(browser: httpx.Client) -> None:
    enter(browser)
    browser.post("/api/v1/tokens", json={"name": "<b>bold</b>"}, headers=csrf(browser))
    for path in ("/account", "/deployment/users", "/deployment/tokens", "/deployment/audit", "/deployment/audit?result=failed&actor=x"):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert "<b>bold</b>" not in page.text
        assert " style=" not in page.text
        assert "<script>" not in page.text


def test_who_may_only_look_is_offered_no_changes(browser: httpx.Client) -> None:
    enter(browser, "vera")
    assert 'class="looks-only"' in browser.get("/automation").text
    enter(browser)
    assert 'class="looks-only"' not in browser.get("/automation").text


def test_headers_of_every_answer(browser: httpx.Client, store: Engine, database_url: str) -> None:
    for path in ("/login", "/api/v1/runs", "/healthz", "/static/app.css"):
        headers = browser.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["permissions-policy"]
        assert "strict-transport-security" not in headers
    with Running(database_url=database_url, auth="local", public_url="https://dagwright.example") as secure:
        answer = httpx.post(f"{secure.url}/login", data={"name": "ada", "password": PASSWORD}, trust_env=False, timeout=60)
        assert answer.headers["strict-transport-security"]
        assert answer.headers["set-cookie"].startswith("__Host-dagwright=")
        assert "Secure" in answer.headers["set-cookie"]


def test_no_log_in_where_there_is_none(api: httpx.Client) -> None:
    me = api.get("/me").json()
    assert (me["name"], me["auth"], me["role"]) == (None, "none", "admin")
    problems(api.post("/session", json={"name": "x", "password": "y"}), 409)
    problems(api.post("/tokens", json={"name": "x"}), 409)


# ------------------------------------------------------------------------------------------------ OpenID Connect


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


def deployment(provider: Provider, database_url: str, **more: Any) -> Running:
    return Running(
        database_url=database_url, auth="oidc", oidc_issuer=provider.issuer, oidc_client_id="dagwright", oidc_client_secret="s3cret",
        oidc_roles={"eng": "editor", "ops": "admin", "guests": "viewer@flights"}, public_url="http://127.0.0.1:1", **more,
    )  # fmt: skip


def go(client: httpx.Client, url: str) -> httpx.Response:
    """To the provider, and back to the server under its real port."""
    away = client.get("/login/oidc?next=/runs")
    assert away.status_code == 303, away.text
    back = httpx.get(away.headers["location"], trust_env=False, timeout=60).headers["location"]
    return client.get(back.replace("http://127.0.0.1:1", url))


def test_a_provider_logs_people_in(store: Engine, database_url: str, provider: Provider) -> None:
    with deployment(provider, database_url) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        entered = go(client, server.url)
        assert (entered.status_code, entered.headers["location"]) == (303, "/runs"), entered.text
        me = client.get("/api/v1/me").json()
        assert (me["name"], me["role"]) == ("ada@example.com", "editor")
        provider.claims["groups"] = ["guests"]
        go(client, server.url)
        me = client.get("/api/v1/me").json()
        assert (me["name"], me["role"], me["location_roles"]) == ("ada@example.com", None, {"flights": "viewer"})
        provider.claims["groups"] = ["nobody"]
        refused = go(client, server.url)
        assert refused.status_code == 401
        assert "You are in no group that may log in here" in refused.text


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "another"},
        {"aud": "somebody-else"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"azp": "somebody-else"},
    ],
)
def test_what_a_provider_says_is_checked(store: Engine, database_url: str, provider: Provider, changed: dict[str, Any]) -> None:
    provider.changed = changed
    with deployment(provider, database_url) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        refused = go(client, server.url)
        assert refused.status_code == 401
        assert "not valid" in refused.text
        assert client.get("/api/v1/me").status_code == 401


def test_a_foreign_key_and_a_foreign_browser(store: Engine, database_url: str, provider: Provider) -> None:
    with deployment(provider, database_url) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        provider.signing_key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
        assert "not valid" in go(client, server.url).text
        provider.signing_key = provider.key
        away = client.get("/login/oidc").headers["location"]
        back = httpx.get(away, trust_env=False, timeout=60).headers["location"].replace("http://127.0.0.1:1", server.url)
        other = httpx.get(back, trust_env=False, timeout=60)
        assert other.status_code == 401
        assert "did not begin in this browser" in other.text


def test_a_name_that_is_taken_is_not_taken_over(store: Engine, database_url: str, provider: Provider) -> None:
    with store.begin() as conn:
        users.create(conn, "ada@example.com", Grant(role=Role.ADMIN), password_hash=passwords.hashed(PASSWORD))
    with deployment(provider, database_url) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=60) as client:
        assert "is here already" in go(client, server.url).text
        assert enter(client, "ada@example.com").status_code == 303, "a password still counts"


def test_domains(database_url: str) -> None:
    made = settings.load(oidc_allowed_domains=("example.com",), oidc_default_role="viewer")
    assert oidc.grant_of(made, {"email": "a@EXAMPLE.com"}) == Grant(role=Role.VIEWER)
    for claims in ({"email": "a@evil.com"}, {"email": "a@example.com.evil.com"}, {}, {"email": "a@example.com", "email_verified": False}):
        with pytest.raises(oidc.ForbiddenError):
            oidc.grant_of(made, claims)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "DAGWRIGHT_OIDC_ISSUER"),
        ({"oidc_issuer": "http://x", "oidc_client_id": "x", "public_url": "http://y"}, "DAGWRIGHT_OIDC_ROLES"),
        ({"oidc_issuer": "http://x", "oidc_client_id": "x", "public_url": "http://y", "oidc_roles": {"a": "owner"}}, "owner"),
    ],
)
def test_a_provider_that_is_half_configured(given: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        edge.check_binding(settings.load(auth="oidc", **given))


def test_nobody_binds_for_others_without_a_log_in() -> None:
    edge.check_binding(settings.load(host="0.0.0.0", auth="local"))
    with pytest.raises(SettingsError, match="DAGWRIGHT_AUTH=local"):
        edge.check_binding(settings.load(host="0.0.0.0"))
