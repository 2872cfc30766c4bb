"""Caches drop the least recently used value; a versioned cache returns a value for its version only."""

from serving.lru_cache import LruCache, VersionedCache


def test_an_lru_cache_drops_the_least_recently_used_value() -> None:
    cache = LruCache[str, int](2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]


def test_a_versioned_cache_returns_a_value_for_its_version_only() -> None:
    cache = VersionedCache[str, int](2)
    cache.put("a", 1, 10)
    assert cache.get("a", 1) == 10
    assert cache.get("a", 2) is None
    assert cache.get("b", 1) is None


def test_a_new_version_replaces_the_value_of_its_key() -> None:
    cache = VersionedCache[str, int](2)
    cache.put("a", 1, 10)
    cache.put("b", 1, 20)
    cache.put("a", 2, 11)
    assert (cache.get("a", 2), cache.get("b", 1)) == (11, 20)
    assert cache.get("a", 1) is None
