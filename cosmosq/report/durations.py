"""Spans of time in words."""


def duration(seconds: float | None) -> str:
    """Seconds for people: `8.2 s`, `12:05`, `3:12:05`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
