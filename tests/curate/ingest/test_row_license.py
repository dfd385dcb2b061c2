from typing import Any

import pytest

from curate.ingest.row_license import row_license


@pytest.mark.parametrize(
    ("meta", "known_id", "stated_in"),
    [
        ({"license": "CC-BY-4.0"}, "CC-BY-4.0", "column license"),
        ({"LICENSE": "mit", "text": "x"}, "MIT", "column LICENSE"),
        ({"rights": "CC0", "licence": "MIT"}, "MIT", "column licence"),
        ({"license": "?", "Rights": "CC0"}, "CC0-1.0", "column Rights"),
        ({"license": 4, "license_url": "https://creativecommons.org/licenses/by/2.0/"}, "CC-BY-2.0", None),
        ({"license": {"id": "<b>", "url": "https://spdx.org/licenses/MIT"}}, "MIT", None),
    ],
)
def test_columns_state_a_licence(meta: dict[str, Any], known_id: str, stated_in: str | None) -> None:
    found = row_license(meta)
    assert found is not None
    assert found.id == known_id
    assert found.stated_in == (stated_in or found.stated_in)


def test_other_words_are_kept_as_they_are_and_have_no_id() -> None:
    found = row_license({"license": "<script>alert(1)</script>"})
    assert found is not None
    assert (found.id, found.url, found.text) == (None, None, "<script>alert(1)</script>")


@pytest.mark.parametrize(
    "meta", [{}, {"license": None}, {"license": 4}, {"licensed": "MIT"}, {"a": {"license": "MIT"}}]
)
def test_without_a_statement_nothing_is_known(meta: dict[str, Any]) -> None:
    assert row_license(meta) is None
