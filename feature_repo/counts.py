"""Counts in sentences."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return "1 answer", "0 answers" or "2,000 answers"; `plural` where it is not the noun with an s.

    >>> counted(2, "test query", "test queries")
    '2 test queries'
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
