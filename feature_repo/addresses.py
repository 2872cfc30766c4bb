"""Addresses as settings give them: a file's path, or a URL."""


def is_file(address: str) -> bool:
    """Whether an address is a local file rather than a URL."""
    return "://" not in address
