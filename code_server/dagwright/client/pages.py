"""Lists that are fetched page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from dagwright.client.transport import Transport

Item = TypeVar("Item")
View = TypeVar("View")
_PAGE = 100


class _Page(Protocol):
    @property
    def items(self) -> Any: ...
    @property
    def next_cursor(self) -> str | None: ...


class Pages(Generic[Item, View]):
    """The items of a list, the next page of which is fetched when it is reached; iterating again begins anew.

    Example:
        ```py
        failed = [run.run_id for run in client.runs.list(status=["FAILURE"], limit=500)]
        ```
    """

    def __init__(
        self, transport: Transport, path: str, view: type[View], *, limit: int | None, query: Mapping[str, Any] | None = None
    ) -> None:
        self._transport, self._path, self._view, self._limit, self._query = transport, path, view, limit, dict(query or {})

    def __iter__(self) -> Iterator[Item]:
        left = self._limit
        for page in self.pages():
            items = self._page(page).items
            yield from items if left is None else items[:left]
            left = None if left is None else left - len(items)

    def pages(self) -> Iterator[View]:
        """Whole pages, with what else they tell, such as the number of all items."""
        left, cursor = self._limit, None
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            view = self._transport.call("GET", self._path, self._view, query={**self._query, "limit": size, "cursor": cursor})
            yield view
            page = self._page(view)
            cursor = page.next_cursor
            if cursor is None or not page.items:
                return
            left = None if left is None else left - len(page.items)

    def first(self) -> Item | None:
        """The first item; None of an empty list."""
        view = self._transport.call("GET", self._path, self._view, query={**self._query, "limit": 1})
        items = self._page(view).items
        return items[0] if items else None

    @staticmethod
    def _page(view: Any) -> _Page:
        page: _Page = view
        return page
