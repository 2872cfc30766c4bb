"""The receipt of an erasure: what was removed where and when, what remains and why, signed by the home.

The signature is an HMAC-SHA-256 with a key of the home, so whoever has the home can verify a receipt.
"""

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from components.errors import StepError
from feature_repo.atomic_files import write_text_atomically

ALGORITHM: Final = "HMAC-SHA256"
_KEY: Final = "key"


@dataclass
class Receipt:
    """Times are ISO 8601.

    Args:
        person: the digest of the user id, as of feature_repo.erased_users; the receipt does not have the id.
        removed: place, what, count and time of each removal.
        remains: place and reason of what was not removed.
        tainted_releases: versions that learned from the person.
        retraining: of a strict erasure: the run that it started ("" for none), the version that was live
            afterwards (None for none), whether it or one of the running experiment learned from an erased
            user, the `versions` that did, and when.
    """

    number: int
    person: str
    begun_at: str
    removed: list[dict[str, Any]] = field(default_factory=list)
    remains: list[dict[str, str]] = field(default_factory=list)
    tainted_releases: list[int] = field(default_factory=list)
    completed_at: str = ""
    retraining: dict[str, Any] = field(default_factory=dict)

    def add(self, place: str, what: str, count: int) -> None:
        """Add a removal; the count of the same one by an earlier, interrupted erasure is added."""
        for entry in self.removed:
            if (entry["place"], entry["what"]) == (place, what):
                count += entry["count"]
                self.removed.remove(entry)
                break
        self.removed.append({"place": place, "what": what, "count": count, "at": now()})

    def keep(self, place: str, why: str) -> None:
        self.remains.append({"place": place, "why": why})


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def next_number(folder: Path) -> int:
    """Return the number of the next receipt of a home; `folder` has the receipts and drafts."""
    written = [int(file.stem) for file in folder.glob("*.json") if file.stem.isdigit()]
    drafts = [json.loads(file.read_bytes())["number"] for file in folder.glob("draft-*.json")]
    return max([*written, *drafts], default=0) + 1


def begin(folder: Path, person: str) -> Receipt:
    """Return the draft of an erasure of the person that was interrupted, or a new receipt."""
    try:
        return Receipt(**json.loads(_draft(folder, person).read_bytes()))
    except FileNotFoundError:
        return Receipt(0, person, now())


def save_draft(folder: Path, receipt: Receipt) -> None:
    """Keep what was removed until now for the receipt of a repeat."""
    write_text_atomically(_draft(folder, receipt.person), json.dumps(asdict(receipt)))


def _draft(folder: Path, person: str) -> Path:
    return folder / f"draft-{person}.json"


def write(folder: Path, receipt: Receipt) -> Path:
    """Sign a receipt, write it to `folder`, delete its draft, and return its file."""
    content = asdict(receipt)
    signed = {"receipt": content, "algorithm": ALGORITHM, "signature": _sign(_key(folder), content)}
    file = folder / f"{receipt.number}.json"
    write_text_atomically(file, json.dumps(signed, indent=2, ensure_ascii=False) + "\n")
    _draft(folder, receipt.person).unlink(missing_ok=True)
    return file


def verify(folder: Path, file: Path) -> Receipt:
    """Return the receipt in a file.

    Raises:
        StepError: it is no receipt, or not one of this home, or it was changed.
    """
    try:
        signed = json.loads(file.read_bytes())
        content, signature = signed["receipt"], signed["signature"]
        receipt = Receipt(**content)
    except (ValueError, KeyError, TypeError) as error:
        raise StepError(
            f"{file}: expected a receipt that `penchant forget` has written ({error!r})"
        ) from error
    if not hmac.compare_digest(str(signature), _sign(_key(folder), content)):
        raise StepError(f"{file}: the signature is wrong: the receipt was changed, or is one of another home")
    return receipt


def _sign(key: bytes, content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _key(folder: Path) -> bytes:
    """Return the key of the home's receipts; the first receipt creates it."""
    file = folder / _KEY
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(file, secrets.token_hex(32))
    return file.read_bytes()
