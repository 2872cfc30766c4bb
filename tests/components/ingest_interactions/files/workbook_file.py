"""Writes a small workbook, without a library for it."""

import io
import zipfile
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
EPOCH: Final = datetime(1899, 12, 30)


def workbook(**sheets: list[list[Any]]) -> bytes:
    """Return an .xlsx file; a cell is a text, a number, a bool, a datetime, or None for an empty one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entries, relations = "", _relation("styles", "styles", "styles.xml")
        for number, (name, rows) in enumerate(sheets.items()):
            entries += f'<sheet name="{escape(name)}" sheetId="{number + 1}" r:id="sheet{number}"/>'
            relations += _relation(f"sheet{number}", "worksheet", f"sheet{number}.xml")
            data = "".join(_row(row, position) for position, row in enumerate(rows, 1))
            archive.writestr(
                f"xl/sheet{number}.xml",
                f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>',
            )
        # Cell format 1 shows a number as a date and time.
        formats = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{MAIN}">{formats}</styleSheet>')
        book = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{entries}</sheets></workbook>'
        archive.writestr("xl/workbook.xml", book)
        archive.writestr("xl/_rels/workbook.xml.rels", _relations(relations))
        archive.writestr("_rels/.rels", _relations(_relation("book", "officeDocument", "xl/workbook.xml")))
    return buffer.getvalue()


def _relation(identifier: str, kind: str, target: str) -> str:
    return f'<Relationship Id="{identifier}" Type="{OFFICE}/{kind}" Target="{target}"/>'


def _relations(relations: str) -> str:
    return f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>'


def _row(cells: list[Any], number: int) -> str:
    texts = (_cell(cell, f"{chr(ord('A') + position)}{number}") for position, cell in enumerate(cells))
    return f'<row r="{number}">{"".join(texts)}</row>'


def _cell(cell: Any, reference: str) -> str:
    match cell:
        case None:
            return ""
        case str():
            return f'<c r="{reference}" t="inlineStr"><is><t>{escape(cell)}</t></is></c>'
        case bool():
            return f'<c r="{reference}" t="b"><v>{int(cell)}</v></c>'
        case datetime():
            return f'<c r="{reference}" s="1"><v>{(cell - EPOCH).total_seconds() / 86400}</v></c>'
        case _:
            return f'<c r="{reference}"><v>{cell}</v></c>'
