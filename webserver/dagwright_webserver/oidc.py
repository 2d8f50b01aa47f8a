"""Log-in by an OpenID Connect provider: authorization code with PKCE, state and nonce.

What must outlast the way to the provider and back is in a cookie of this one log-in; webservers share nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from dagwright_shared.model.access import Grant, Role
from dagwright_shared.model.errors import ConflictError, ForbiddenError, SettingsError, UnauthenticatedError, UnavailableError
from dagwright_shared.runtime.settings import Settings
from dagwright_shared.store import users
from dagwright_shared.store.users import User
from dagwright_webserver.access import safe_next
from dagwright_webserver.deps import Web, is_secure

_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""None that needs no key, nor one that the client shares."""
_MINUTES = 10
_LEEWAY_SECONDS = 60
_KEEP_SECONDS = 3600.0
_CALL_SECONDS = 10.0
_lock = threading.Lock()
_providers: dict[str, tuple[float, dict[str, Any], dict[str, Any]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One log-in under way."""

    state: str
    nonce: str
    verifier: str
    next: str


def check(settings: Settings) -> None:
    """See to it that all is there that a provider needs.

    Raises:
        SettingsError: something is missing, or a role is none.
    """
    for name in ("oidc_issuer", "oidc_client_id", "public_url"):
        if not getattr(settings, name):
            raise SettingsError(f"DAGWRIGHT_AUTH=oidc needs the setting {name} (DAGWRIGHT_{name.upper()})")
    for group, text in [*settings.oidc_roles.items(), *([("default", settings.oidc_default_role)] if settings.oidc_default_role else [])]:
        role, _, _ = str(text).partition("@")
        if role not in list(Role):
            known = f"the roles are {', '.join(Role)}, or with a location editor@flights"
            raise SettingsError(f"setting oidc_roles gives {group!r} the role {text!r}; {known}")
    if not settings.oidc_roles and not settings.oidc_default_role:
        raise SettingsError("DAGWRIGHT_AUTH=oidc needs DAGWRIGHT_OIDC_ROLES or DAGWRIGHT_OIDC_DEFAULT_ROLE, or nobody could log in")


def begin(web: Web, next: str) -> Response:
    """Send the browser to the provider.

    Raises:
        UnavailableError: the provider does not answer.
    """
    metadata, _ = _provider(web.settings)
    flow = Flow(state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48), next=next)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(flow.verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": web.settings.oidc_client_id,
        "redirect_uri": _back(web.settings),
        "scope": web.settings.oidc_scopes,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    endpoint = str(metadata["authorization_endpoint"])
    response = RedirectResponse(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}", 303)
    kept = base64.urlsafe_b64encode(json.dumps([flow.state, flow.nonce, flow.verifier, flow.next]).encode()).decode()
    response.set_cookie(_cookie(web), kept, max_age=_MINUTES * 60, path="/", secure=is_secure(web.settings), httponly=True, samesite="lax")
    return response


def finish(web: Web, request: Request) -> tuple[User, str]:
    """Who came back from the provider, and where they wanted to go.

    Raises:
        UnauthenticatedError: this is not the log-in that began here, or the provider says no.
        ForbiddenError: they are known there, and may not log in here.
        ConflictError: another user has their name.
        UnavailableError: the provider does not answer.
    """
    flow = _flow(web, request)
    given = request.query_params
    if flow is None or not hmac.compare_digest(flow.state.encode(), given.get("state", "").encode()):
        raise UnauthenticatedError("This log-in did not begin in this browser, or took longer than ten minutes. Log in again.")
    if "error" in given or "code" not in given:
        why = given.get("error_description") or given.get("error") or "no code"
        raise UnauthenticatedError(f"The provider did not log you in: {why[:300]}")
    claims = _claims(web.settings, flow, given["code"])
    grant = grant_of(web.settings, claims)
    return web_user(web, claims, grant), safe_next(flow.next)


def forget(web: Web, response: Response) -> None:
    """The log-in is over."""
    response.delete_cookie(_cookie(web), path="/", secure=is_secure(web.settings), httponly=True, samesite="lax")


def grant_of(settings: Settings, claims: Mapping[str, Any]) -> Grant:
    """What the claims of a user are worth here.

    Raises:
        ForbiddenError: nothing, or the address is of a foreign domain.
    """
    if settings.oidc_allowed_domains:
        domain = str(claims.get("email", "")).rpartition("@")[2].lower()
        if domain not in [name.lower() for name in settings.oidc_allowed_domains] or claims.get("email_verified") is False:
            raise ForbiddenError("Your e-mail address is not of a domain that may log in here, or is not verified; ask an admin.")
    groups = _groups(settings, claims)
    texts = [role for group, role in settings.oidc_roles.items() if group in groups] or [settings.oidc_default_role or ""]
    role: Role | None = None
    locations: dict[str, Role | None] = {}
    for text in texts:
        name, _, location = text.partition("@")
        if not name:
            continue
        found = Role(name)
        if not location:
            role = found if role is None or found.covers(role) else role
        elif (had := locations.get(location)) is None or found.covers(had):
            locations[location] = found
    grant = Grant(role=role, locations={name: max(own, role, key=_rank) for name, own in locations.items()})
    if not grant.anywhere(Role.VIEWER):
        raise ForbiddenError("You are in no group that may log in here; ask an admin.")
    return grant


def web_user(web: Web, claims: Mapping[str, Any], grant: Grant) -> User:
    """The user of these claims, made at the first log-in; their roles are those of now.

    Raises:
        ConflictError: another user has their name.
        ForbiddenError: an admin has disabled them.
    """
    issuer, subject = str(web.settings.oidc_issuer), str(claims["sub"])
    name = str(_look_up(claims, web.settings.oidc_name_claim) or claims.get("preferred_username") or subject).strip().replace("/", "-")

    def change(conn: Connection) -> User:
        user = users.by_subject(conn, issuer, subject)
        if user is None:
            return users.create(conn, name[:255], grant, issuer=issuer, subject=subject)
        if user.disabled:
            raise ForbiddenError("This user is disabled; ask an admin.")
        return users.regrant(conn, user.user_id, grant) if user.grant != grant else user

    try:
        with web.engine.begin() as conn:
            return change(conn)
    except ConflictError:
        raise ConflictError(f"A user {name!r} is here already, and is not the one of the provider; ask an admin.") from None


def _claims(settings: Settings, flow: Flow, code: str) -> dict[str, Any]:
    """The checked claims of the ID token, with those of the user-info endpoint where the groups are missing."""
    import httpx  # noqa: PLC0415 - only log-ins pay for it
    from joserfc.errors import JoseError  # noqa: PLC0415

    metadata, keys = _provider(settings)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": _back(settings), "code_verifier": flow.verifier}
    client_id, secret = str(settings.oidc_client_id), settings.oidc_client_secret
    # RFC 6749: both are form-encoded before they go into the header.
    basic = None if secret is None else httpx.BasicAuth(quote(client_id, safe=""), quote(secret.get_secret_value(), safe=""))
    if basic is None:
        form["client_id"] = client_id
    try:
        with httpx.Client(timeout=_CALL_SECONDS) as client:
            answer = client.post(metadata["token_endpoint"], data=form, auth=basic or httpx.USE_CLIENT_DEFAULT)
            token = answer.json()
            if answer.is_error or not isinstance(token, dict) or not token.get("id_token"):
                why = token.get("error", answer.status_code) if isinstance(token, dict) else answer.status_code
                raise UnauthenticatedError(f"The OpenID provider took the log-in back: {why}"[:300])
            try:
                claims = _checked(settings, flow, metadata, keys, str(token["id_token"]))
            except (JoseError, ValueError):
                metadata, keys = _provider(settings, fresh=True)  # the provider may have new keys
                claims = _checked(settings, flow, metadata, keys, str(token["id_token"]))
            if not _groups(settings, claims) and "userinfo_endpoint" in metadata:
                bearer = {"Authorization": f"Bearer {token.get('access_token')}"}
                told = client.get(metadata["userinfo_endpoint"], headers=bearer).json()
                if isinstance(told, dict) and told.get("sub") == claims["sub"]:
                    claims = {**told, **claims}
            return claims
    except httpx.HTTPError as error:
        raise UnavailableError(f"The OpenID provider does not answer ({type(error).__name__}); try again in a moment") from None
    except (JoseError, ValueError) as error:
        raise UnauthenticatedError(f"The OpenID provider's answer is not valid: {error}"[:300]) from None


def _checked(settings: Settings, flow: Flow, metadata: Mapping[str, Any], keys: Mapping[str, Any], id_token: str) -> dict[str, Any]:
    from joserfc import jwt  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    decoded = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=_ALGORITHMS)  # type: ignore[arg-type]
    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY_SECONDS,
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": str(settings.oidc_client_id)},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": flow.nonce},
    )
    registry.validate(decoded.claims)
    claims = dict(decoded.claims)
    if claims.get("azp", settings.oidc_client_id) != settings.oidc_client_id:
        raise ValueError("the token was made for another client")
    return claims


def _provider(settings: Settings, *, fresh: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the provider says of itself, and its keys; asked for once an hour."""
    import httpx  # noqa: PLC0415 - only log-ins pay for it

    issuer = str(settings.oidc_issuer).rstrip("/")
    with _lock:
        kept = _providers.get(issuer)
    if kept is not None and not fresh and kept[0] > time.monotonic():
        return kept[1], kept[2]
    try:
        with httpx.Client(timeout=_CALL_SECONDS) as client:
            metadata = client.get(f"{issuer}/.well-known/openid-configuration").raise_for_status().json()
            name = str(metadata.get("issuer", ""))
            if name.rstrip("/") != issuer:
                raise UnavailableError(f"The OpenID provider at {issuer} calls itself {name!r}; set DAGWRIGHT_OIDC_ISSUER to that")
            keys = client.get(metadata["jwks_uri"]).raise_for_status().json()
    except (httpx.HTTPError, ValueError, KeyError) as error:
        why = type(error).__name__
        raise UnavailableError(f"The OpenID provider at {issuer} does not answer as one ({why}); try again in a moment") from None
    with _lock:
        _providers[issuer] = (time.monotonic() + _KEEP_SECONDS, metadata, keys)
    return metadata, keys


def _back(settings: Settings) -> str:
    """Where the provider sends the browser."""
    return f"{str(settings.public_url).rstrip('/')}/login/callback"


def _groups(settings: Settings, claims: Mapping[str, Any]) -> set[str]:
    found = _look_up(claims, settings.oidc_groups_claim)
    return {str(each) for each in found} if isinstance(found, list) else {found} if isinstance(found, str) else set()


def _look_up(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its whole name, or through objects by its dots."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _flow(web: Web, request: Request) -> Flow | None:
    try:
        state, nonce, verifier, next = json.loads(base64.urlsafe_b64decode(request.cookies.get(_cookie(web), "")))
        return Flow(state=str(state), nonce=str(nonce), verifier=str(verifier), next=str(next))
    except (ValueError, TypeError):
        return None


def _cookie(web: Web) -> str:
    return "__Host-dagwright_login" if is_secure(web.settings) else "dagwright_login"


def _rank(role: Role | None) -> int:
    return -1 if role is None else role.rank
