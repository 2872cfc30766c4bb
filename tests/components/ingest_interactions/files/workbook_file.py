"""Writes small workbooks, without a library for it."""

import base64
import io
import zipfile
import zlib
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006/relationships"
EPOCH: Final = datetime(1899, 12, 30)
DOCUMENT: Final = "urn:oasis:names:tc:opendocument:xmlns"

# A workbook of Excel 97 (.xls), written with xlwt 1.3: the sheet Events with the rows of test_workbooks.ROWS.
XLS: Final = (
    "c-rk)O=uHA6#izjNt4i~No=L9P-4MaYYSDON};AoV|z)7_TUeKCUy@YZ6aw}P(iCTM?vtUcq!C_m#P<k(1YF-go+*nK}Zz5c"
    "oGymv{~Q0-Ndw3Xh4gV{g!$2-kX_kU*>=FYTlQdx!07(GVFy71>FTlnNLu16%8+_T-T*q%$<~U3+oClCk>>-j>k1GtK=BU@y"
    "<iRUG*7B-~*-OIE|rHQVXmh_HztTA!FzzDR7fK9yD@PewL?LZeV$bYd&Gw$DS)Jd#P?t9K(EYsC|z)i;pNRT;_q~eZXzrv1b"
    "SB@m$X03s;3v*N%PZcyx4~6*Q~Wm<0{!fR@zK(r&;l>M0y0bcVy7{r!Q#!JcrqXLvY=IvVv^eA5HK*W&Vi8nFCp>lYyZ_oe="
    "--}s$0n#=vy6cw0)ev(&9mS%UGYOLtcq?XK#FQ8k_2u@TmF|MU4i)XYk$};gW%??aPM<+B|2&se(=<3={GM0+D<-X7Rgm=k4"
    "QN!z}n&b#-S@-cO@=|;Yx4*m&$0ETK?3v=T!8k#-$T*?nqHIBpJzQdANg<$}TWn`}iCH(X-o&zw>QLSqsW+7a(_H5=m$uS-b"
    "}`-rx0dN`q-Q@LeAt}*7~Dqs+(7<p-Q3&Y3|i<!8=>~{nMQ}`5I3$%JPH<bVeU5XSvLN%^Eef+8M|&CleJicn^hl6!;-xtN|"
    "s{wm0{V)vXv~AEY)NdD=-UYmVI?zadYH8?366jmx5URcoAwqWb>y!qg=9|qw03WNtViSNN!~XZiTrWCbu!B-6cyh$<tmkDa="
    "GS1;vm1vKj5WKjDT23l=O`uwcQ0g?|x(@1n;2TQzUs4)ZHP-t-nJ6|BEW{#zVEik=L8ONNl7JdHCI&7Y01iz1g;Wt-yvg%XG"
    "9?P(+s<2Vu(&tLjB6Xm~W)eXIWZV6TT{z4^j{^j@o03Tc9)c"
)


def xls() -> bytes:
    """Return an .xls file."""
    return zlib.decompress(base64.b85decode(XLS))


def ods(**sheets: list[list[Any]]) -> bytes:
    """Return an .ods file; a cell is a text, a number, a bool, a datetime, or None for an empty one."""
    tables = "".join(
        f'<table:table table:name="{escape(name)}">{"".join(map(_ods_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    names = " ".join(f'xmlns:{name}="{DOCUMENT}:{name}:1.0"' for name in ("office", "table", "text"))
    book = f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body>"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = f'<manifest:manifest xmlns:manifest="{DOCUMENT}:manifest:1.0"/>'
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", f"<office:document-content {names}>{book}</office:document-content>")
    return buffer.getvalue()


def _ods_row(cells: list[Any]) -> str:
    return f"<table:table-row>{''.join(map(_ods_cell, cells))}</table:table-row>"


def _ods_cell(cell: Any) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case str():
            kind, value = "string", ""
        case bool():
            kind, value = "boolean", f'office:boolean-value="{str(cell).lower()}"'
        case datetime():
            kind, value = "date", f'office:date-value="{cell.isoformat()}"'
        case _:
            kind, value = "float", f'office:value="{cell}"'
    shown = f"<text:p>{escape(str(cell))}</text:p>"
    return f'<table:table-cell office:value-type="{kind}" {value}>{shown}</table:table-cell>'


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
