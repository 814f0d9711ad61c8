"""How numbers and units of metrics are written, in tables of any kind."""

from __future__ import annotations

BETTER = {"higher": "higher", "lower": "lower", "zero": "nearest 0"}  # `Metric.better` in words


def number(value: float | None) -> str:
    """
    >>> number(1 / 3), number(-1e-6), number(1234567.0), number(None)
    ('0.3333', '0.0000', '1.23457e+06', 'undefined')
    """
    if value is None:
        return "undefined"
    return f"{round(value, 4) + 0.0:.4f}" if abs(value) < 1e5 else f"{value:.6g}"  # + 0.0: no minus before 0
