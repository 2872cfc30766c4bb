"""What an item is about: its categories, its text, and embeddings made elsewhere."""

import ibis
import ibis.expr.types as ir

from feature_repo.contract import ITEMS


def build_item_content(items: ir.Table) -> ir.Table:
    """One row per item: title, categories, domain, `text` (title and further text columns), embeddings."""
    further = [name for name in items.columns if name not in ITEMS.names]
    texts = [items[name] for name in ("title", *further) if items[name].type().is_string()]
    embeddings = {
        name: items[name].cast("array<float32>")
        for name in further
        if items[name].type().is_array() and items[name].type().value_type.is_numeric()
    }
    return items.select(
        "item_id",
        title=ibis.coalesce(items.title, ""),
        categories=ibis.coalesce(items.categories, ibis.literal([], type="array<string>")),
        domain=ibis.coalesce(items.domain, ""),
        text=ibis.literal(" ").join([ibis.coalesce(text, "") for text in texts]).strip(),
        **embeddings,
    )
