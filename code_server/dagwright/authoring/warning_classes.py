"""Classes of warnings that projects filter by name."""

from __future__ import annotations


class BetaWarning(Warning):
    """The thing works, and may still change. Given by what `dagwright.libraries.markers` marks; dagwright itself never gives it."""


class PreviewWarning(Warning):
    """The thing is new and may go. Given by what `dagwright.libraries.markers` marks; dagwright itself never gives it."""


class SupersessionWarning(FutureWarning):
    """There is a better way. Given by what `dagwright.libraries.markers` marks; dagwright itself never gives it."""


class ConfigArgumentWarning(SyntaxWarning):
    """An argument called `config` may have been meant as something else. dagwright itself never gives it."""
