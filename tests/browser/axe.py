"""What axe-core, the accessibility checker, has against a page."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"], "resultTypes": ["violations"]}


def serious(page: Page) -> list[str]:
    """The serious and critical violations, each with the first elements that it is about; none: []."""
    found = Axe().run(page, options=_RULES).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: " + " | ".join(node["html"][:200] for node in each["nodes"][:4])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
