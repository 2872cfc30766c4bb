"""Feast's formats, of its registry, its keys and its values, without its SDK.

Feast's servers in other languages read the same. `import feast` would take 63 MB and pandas with it, which a
process that reads one user at a time has no use for.
"""

import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Final

_PACKAGE: Final = "feast"


def _is_feast(module: str) -> bool:
    return module.partition(".")[0] == _PACKAGE


# Where the SDK is loaded already, its modules are taken. Else the package stands there empty for a moment;
# whoever imports Feast afterwards finds nothing of it.
_before = set(filter(_is_feast, sys.modules))
if not _before:
    _spec = find_spec(_PACKAGE)
    assert _spec
    _empty = ModuleType(_PACKAGE)
    _empty.__path__ = list(_spec.submodule_search_locations or ())
    sys.modules[_PACKAGE] = _empty
try:
    from feast.infra.key_encoding_utils import serialize_entity_key
    from feast.protos.feast.core.FeatureView_pb2 import FeatureView
    from feast.protos.feast.core.Registry_pb2 import Registry
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value
finally:
    if not _before:
        for _name in list(filter(_is_feast, sys.modules)):
            del sys.modules[_name]

__all__ = ["EntityKey", "FeatureView", "Registry", "Value", "serialize_entity_key"]
