"""JSON lines, arrays and wrapped arrays are tables; all values are text."""

import json
from typing import Any

import pytest

from components.errors import StepError

EXACT = {"user": "007", "item": "18446744073709551615", "time": "1700000000.0", "share": "0.1", "ok": "true"}
LINE = '{"user":"007","item":18446744073709551615,"time":1700000000.0,"share":0.1,"ok":true}'


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.jsonl", f"{LINE}\n{LINE}\n", "JSON lines"),
        ("a.ndjson", f"\n{LINE}\r\n\r\n{LINE}", "JSON lines"),
        ("a.json", f"{LINE}\n{LINE}\n", "JSON lines"),
        ("a.json", f"[{LINE},{LINE}]", "JSON array"),
        ("a.json", f"[\n{LINE},\n{LINE}\n]\n", "JSON array"),
        ("a.json", json.dumps([json.loads(LINE)] * 2, indent=2), "JSON array"),
        ("a.json", f'{{"events":[{LINE},{LINE}]}}', "JSON, the rows are in 'events'"),
        ("a.json", f'{{\n"status": "ok",\n"data":[{LINE},{LINE}]}}', "JSON, the rows are in 'data'"),
        ("a.json", "{\n" + LINE[1:] + "\n{\n" + LINE[1:], "JSON"),
    ],
)
def test_values_stay_as_they_are_written(folder: Any, name: str, content: str, kind: str) -> None:
    opened = folder.open(name, content)
    assert opened.description == kind
    assert opened.relation.project("* EXCLUDE source_row").fetchall() == [tuple(EXACT.values())] * 2
    assert opened.notes == []


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(folder: Any, codec: str) -> None:
    assert folder.read("a.jsonl", '{"title":"Café"}\n{"title":"x"}\n'.encode(codec))[0] == {"title": "Café"}


def test_nested_values_stay_nested(folder: Any) -> None:
    lines = ['{"session":1,"items":[{"item_id":"x","n":2}],"device":{"os":"a"}}', '{"session":2,"items":[]}']
    assert folder.read("a.jsonl", "\n".join(lines)) == [
        {"session": "1", "items": [{"item_id": "x", "n": "2"}], "device": {"os": "a"}},
        {"session": "2", "items": [], "device": None},
    ]


def test_one_session_with_a_list_of_events_is_one_row(folder: Any) -> None:
    assert folder.open("a.jsonl", '{"session":1,"events":[{"aid":7},{"aid":8}]}').rows == 1


def test_rows_may_have_different_keys_and_types(folder: Any) -> None:
    lines = ['{"a":1,"b":"x"}', '{"a":"t","b":{"c":1}}', '{"late":[1,"x"]}']
    assert folder.read("a.jsonl", "\n".join(lines)) == [
        {"a": "1", "b": "x", "late": None},
        {"a": "t", "b": '{"c":1}', "late": None},
        {"a": None, "b": None, "late": ["1", "x"]},
    ]


def test_a_dictionary_with_many_keys_is_kept_as_text(folder: Any) -> None:
    opened = folder.open("a.jsonl", "\n".join(f'{{"id":{n},"details":{{"key {n}":1}}}}' for n in range(300)))
    assert opened.relation.limit(1).fetchall() == [(1, "0", '{"key 0":1}')]
    assert opened.notes == ["details: kept as JSON text, because it has many keys"]


def test_lines_of_python_objects_are_read(folder: Any) -> None:
    opened = folder.open("a.json", "{u'user': u'a', 'title': 'it\\'s', 'x': None}\n{'user': \"b's\"}\n")
    assert opened.relation.fetchall() == [(1, "a", "it's", None), (2, "b's", None, None)]
    assert opened.notes == ["the lines are Python objects, not JSON"]


@pytest.mark.parametrize(("line", "shown"), [('{"a":', '{"a":'), ("[1]", "[1]"), ("text", "text")])
def test_a_damaged_line_is_counted_and_shown(folder: Any, line: str, shown: str) -> None:
    opened = folder.open("a.jsonl", '{"a":1}\n' * 50 + f"{line}\n" + '{"a":2}\n' * 50)
    assert opened.rows == 100
    assert opened.notes == [f"1 of 101 lines are no JSON object: line 51 is {shown!r}; they are left out"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"a":1}\nxx\n{"a":1}\n', "1 of 3 lines are no JSON object: line 2 is 'xx'"),
        ("a.jsonl", "[1,2]\n[3,4]\n", r"2 of 2 lines are no JSON object: line 1 is '\[1,2\]'"),
        ("a.json", "[[1,2],[3,4]]", "the JSON array holds arrays; expected one object for each row"),
        ("a.json", "[]", "no rows; the JSON array is empty"),
        ("a.json", "{}", "the JSON objects have no keys"),
        ("a.json", '[{"a":1},{"a":', "damaged or cut short .*Malformed JSON"),
        (
            "a.json",
            '{"user":{"0":"a"},"item":{"0":"x"}}',
            r"one JSON object with 2 keys \(user, item\).*records",
        ),
        ("a.json", '{"columns":["a"],"index":[0],"data":[[1]]}', r"one JSON object with 3 keys"),
        ("a.jsonl", '{"userId":1,"userid":2}\n', "the keys userId, userid differ only by case"),
        ("a.json", "{'a': open('x')}\n", "line 1 is neither JSON nor a Python object"),
    ],
)
def test_what_is_no_table_is_refused(folder: Any, name: str, content: str, message: str) -> None:
    with pytest.raises(StepError, match=rf"{name}: {message}"):
        folder.open(name, content)
