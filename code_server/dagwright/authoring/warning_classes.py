"""Classes of warnings that projects filter by name."""

from __future__ import annotations


class BetaWarning(Warning):
    """The thing works, and may still change. dagwright itself never gives it; filters that name it keep working."""


class PreviewWarning(Warning):
    """The thing is new and may go. dagwright itself never gives it; filters that name it keep working."""


class SupersessionWarning(FutureWarning):
    """There is a better way. dagwright itself never gives it; filters that name it keep working."""


class ConfigArgumentWarning(SyntaxWarning):
    """An argument called `config` may have been meant as something else. dagwright itself never gives it."""
