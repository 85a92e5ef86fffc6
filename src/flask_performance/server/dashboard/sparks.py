"""Sparklines: counts over time as a small drawing in a row of a table."""

from collections.abc import Sequence


def spark(points: Sequence[int], width: int, height: int) -> str:
    """Counts as the outline of steps, standing on the ground; empty where nothing happened."""
    top = max(points, default=0)
    if not top:
        return ""
    step = width / len(points)
    parts = [f"M0 {height}"]
    drawn: int | None = None
    for place, value in enumerate(points):
        if value == drawn:  # a longer step of the same height
            parts.pop()
        else:
            parts.append(f"V{height - value / top * (height - 1):.1f}")
        parts.append(f"H{(place + 1) * step:.1f}")
        drawn = value
    return "".join([*parts, f"V{height}Z"])
