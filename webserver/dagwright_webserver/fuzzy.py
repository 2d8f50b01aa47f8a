"""How well a name fits what somebody typed."""

from __future__ import annotations

from functools import lru_cache


def score(words: str, text: str) -> float:
    """0: it does not fit. Every word must: as a part of the text, or with its letters in order and near each other.

    The beginning of the text counts most, then the beginning of a word in it; of two that fit alike, the shorter wins.
    """
    total = 0.0
    lowered = text.lower()
    for word in _words(words):
        found = _part(word, lowered) or _letters(word, lowered)
        if not found:
            return 0.0
        total += found
    return total / (1 + len(text) / 400)


@lru_cache(maxsize=64)
def _words(words: str) -> tuple[str, ...]:
    return tuple(words.lower().split())


def _part(word: str, text: str) -> float:
    at = text.find(word)
    if at < 0:
        return 0.0
    if at == 0:
        return 200.0 if len(word) == len(text) else 150.0
    begins = at if _begins(text, at) else next((n for n in _places(word, text) if _begins(text, n)), None)
    return 120.0 if begins is not None else 100.0


def _places(word: str, text: str) -> list[int]:
    found, at = [], text.find(word)
    while at >= 0:
        found.append(at)
        at = text.find(word, at + 1)
    return found


def _letters(word: str, text: str) -> float:
    """`drc` fits `daily_revenue_check`; a span much longer than the word is chance."""
    if len(word) < 2:
        return 0.0
    at, first, worth = -1, -1, 0.0
    for letter in word:
        before = at
        at = text.find(letter, at + 1)
        if at < 0:
            return 0.0
        start = next((n for n in _places(letter, text) if n > before and _begins(text, n)), None)
        if at != before + 1 and start is not None:
            at = start
        first = at if first < 0 else first
        worth += 2.0 if _begins(text, at) else 1.5 if at == before + 1 else 0.5
    if at - first > 5 * len(word) + 10 or worth < len(word):
        return 0.0
    return 40.0 * worth / (2 * len(word))


def _begins(text: str, at: int) -> bool:
    return at == 0 or not text[at - 1].isalnum()
