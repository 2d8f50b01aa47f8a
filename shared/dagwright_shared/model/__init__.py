"""What dagwright is about, as values: frozen dataclasses and pure functions over them.

Invariant: nothing here does input or output, reads a clock or imports anything but the standard library
(and `cronsim`, which is pure arithmetic on cron expressions).
"""
