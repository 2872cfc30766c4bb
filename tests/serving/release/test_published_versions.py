"""An object store that gives no answer is named, in reads and in writes."""

from collections.abc import Callable

import fsspec
import pytest

from components.push_release.live_switch import switch, unrecorded
from components.push_release.publication import unpublish
from feature_repo.filesystems import locate
from serving.errors import Unavailable
from serving.release.published_versions import PublishedVersions
from serving.release.release_store import ReleaseStore
from tests.gone_store import GoneStore

fsspec.register_implementation("gone", GoneStore, clobber=True)


@pytest.mark.parametrize(
    "call",
    [
        PublishedVersions.live,
        PublishedVersions.rollback_target,
        PublishedVersions.versions,
        lambda store: store.is_published(1),
        unrecorded,
        lambda store: switch(store, 1, "rolled back", "ada"),
        lambda store: unpublish(store, 1),
    ],
)
def test_a_store_that_gives_no_answer_is_named(call: Callable[[PublishedVersions], object]) -> None:
    expected = "store gone://penchant/releases gives no answer: Could not connect to the endpoint URL; repeat"
    with pytest.raises(Unavailable, match=expected):
        call(ReleaseStore("gone://penchant/releases"))


def test_a_protocol_without_its_package_is_named() -> None:
    with pytest.raises(
        ValueError, match=r"^nosuch://ann:\*\*\*@host/releases: .*, or choose another address"
    ):
        locate("nosuch://ann:secret@host/releases")
