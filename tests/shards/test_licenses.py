from typing import Any

from shards.licenses import MAX_IDS, OTHER, UNKNOWN, LicenseCounter, add_up_licenses, license_label, render_licenses

HOSTILE = '<script>alert("x")</script> | x\n# y'


def record(license_id: str | None = None, *, source: str = "web", text: str | None = None) -> dict[str, Any]:
    stated = {"id": license_id, "url": None, "text": text, "stated_in": "x"}
    return {"source": source} | ({"license": stated} if license_id or text else {})


def test_ids_are_told_apart_and_all_else_is_one_of_two() -> None:
    assert license_label(record("CC-BY-4.0")) == "CC-BY-4.0"
    assert license_label(record()) == UNKNOWN
    assert license_label(record(text="(c) me")) == OTHER
    assert license_label(record(HOSTILE)) == OTHER
    assert license_label({"license": {"id": ["MIT"]}}) == OTHER
    assert license_label({"license": "MIT"}) == UNKNOWN


def test_shards_add_up_in_any_order() -> None:
    first, second = LicenseCounter(), LicenseCounter()
    for one in (record("MIT"), record(), record("MIT", source="a")):
        first.add(one)
    for one in (record("CC0-1.0"), record("MIT")):
        second.add(one)
    total = {"a": {"MIT": 1}, "web": {"CC0-1.0": 1, "MIT": 2, UNKNOWN: 1}}
    counts = [first.to_dict(), second.to_dict()]
    assert add_up_licenses(counts) == add_up_licenses(reversed(counts)) == total
    assert add_up_licenses([]) == {}


def test_a_count_stays_small_whatever_records_say() -> None:
    counter = LicenseCounter()
    for number in range(MAX_IDS + 10):
        counter.add(record(f"Own-{number}"))
    (counts,) = counter.to_dict().values()
    assert len(counts) == MAX_IDS + 1
    assert counts[OTHER] == 10
    assert sum(counts.values()) == MAX_IDS + 10


def test_the_table_has_the_most_frequent_first_and_unknown_too() -> None:
    table = render_licenses({"web": {"MIT": 1, UNKNOWN: 1234, "CC0-1.0": 1}, "a": {OTHER: 2}})
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert rows == [
        f"| a | {OTHER} | 2 |",
        f"| web | {UNKNOWN} | 1,234 |",
        "| web | CC0-1.0 | 1 |",
        "| web | MIT | 1 |",
    ]
    assert render_licenses({}) == ""


def test_no_text_is_markup_on_the_card() -> None:
    table = render_licenses({HOSTILE: {HOSTILE: 1}})
    assert "<script>" not in table
    assert table.splitlines()[-1].count("|") - table.splitlines()[-1].count("\\|") == 4
