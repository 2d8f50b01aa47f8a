"""Whatever texts definitions, runs and people bring: on every page they stay texts."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import quote, urlsplit

import httpx
import pytest
from sqlalchemy import Engine
from tests.integration.webserver import hostile
from tests.integration.webserver.conftest import Running

pytestmark = pytest.mark.integration
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-delete", "data-url", "poster", "srcset"})


class Reader(HTMLParser):
    """What a browser would make of a page: what in it could run, and where it leads."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        shown = self.get_starttag_text()
        if "data-evil" in names:
            self.wrong.append(f"made by a text: {shown}")
        for name, value in attrs:
            if name.startswith("on"):
                self.wrong.append(f"a handler: {shown}")
            if name in _ADDRESSES and urlsplit((value or "").strip().lower()).scheme not in {"", "http", "https", "mailto"}:
                self.wrong.append(f"leads to a script: {shown}")
        if tag == "script" and "src" not in names and names.get("type") not in {"application/json", "application/ld+json"}:
            self.wrong.append(f"a script in the page: {shown}")
        if tag == "a" and (link := names.get("href") or "").startswith("/"):
            self.links.add(link.partition("#")[0])


PAGES = """
/ /runs /runs?text={evil} /runs?job={evil}&tag={evil}%3D{evil} /runs/{run} /runs/{queued} /runs/{run}?compare={queued}
/backfills /backfills/{backfill} /automation /automation?tick={evil} /deployment /docs /nowhere/{evil} /login?next={evil}
/assets /assets?text={evil} /assets?selection={evil} /lineage /lineage?selection={evil} /assets/evil/{key} /assets/{evil}
/assets/evil_plain /assets/evil_plain?tab=partitions /assets/evil_plain?tab=history /assets/evil_plain?tab=checks
/assets/evil_plain?tab=plots /assets/evil_plain?tab=automation /assets/evil_dynamic?tab=partitions
/jobs /jobs/evil_job /jobs/{evil} /jobs/{key} /jobs/evil_job?launch=1 /jobs/evil_job/launchpad
"""


def read(page: httpx.Response) -> Reader:
    reader = Reader()
    reader.feed(page.text)
    return reader


def test_on_every_page_and_wherever_they_lead(server: Running, api: httpx.Client, store: Engine) -> None:
    ids = hostile.happened(api, store)
    evil, key = quote(hostile.EVIL, safe=""), quote(hostile.KEY, safe="")
    wrong: dict[str, list[str]] = {}
    waiting = [page.format(evil=evil, key=key, **ids) for page in PAGES.split()]
    seen: set[str] = set()
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, trust_env=False, timeout=60) as browser:
        while waiting and len(seen) < 250:
            path = waiting.pop(0)
            if path in seen:
                continue
            seen.add(path)
            page = browser.get(path)
            assert page.status_code < 500, f"{path}: {page.status_code} {page.text[:500]}"
            if page.is_redirect:
                assert page.headers["location"].startswith("/")
                continue
            if not page.headers["content-type"].startswith("text/html"):
                assert page.headers["x-content-type-options"] == "nosniff"
                continue
            assert (
                "default-src 'self'" in page.headers["content-security-policy"]
                or "default-src 'none'" in page.headers["content-security-policy"]
            )
            reader = read(page)
            if reader.wrong:
                wrong[path] = reader.wrong[:5]
            waiting += sorted(link for link in reader.links if link.count("evil") and not link.startswith("/api/"))
    assert wrong == {}
    assert len(seen) > 60


def test_the_reader_sees_what_it_looks_for() -> None:
    """The test can fail."""
    reader = Reader()
    reader.feed(f"<p title='{hostile.EVIL}'>{hostile.EVIL}</p><a href='{hostile.LINK}'></a><script>1</script>")
    assert len(reader.wrong) >= 4
