import time

import pytest

from curate.ingest.licenses import MAX_TEXT_CHARS, MAX_URL_CHARS, license_of_link, license_of_text, read_license

CC = "https://creativecommons.org/"


def text_id(text: str) -> str | None:
    found = license_of_text(text, stated_in="test")
    return None if found is None else found.id


@pytest.mark.parametrize(
    ("url", "known_id"),
    [
        (CC + "licenses/by/4.0/", "CC-BY-4.0"),
        ("http://www.CreativeCommons.org/licenses/BY-nc-sa/3.0/de/deed.de", "CC-BY-NC-SA-3.0-DE"),
        ("//creativecommons.org/licenses/by-nd/2.5", "CC-BY-ND-2.5"),
        (CC + "licenses/by-sa/4.0/legalcode?x=1", "CC-BY-SA-4.0"),
        (CC + "publicdomain/zero/1.0/", "CC0-1.0"),
        (CC + "publicdomain/mark/1.0/deed.en", "CC-PDM-1.0"),
        ("https://opensource.org/license/mit/", "MIT"),
        ("https://spdx.org/licenses/Apache-2.0.html", "Apache-2.0"),
        (CC + "licenses/by/5.0/", None),
        (CC + "licenses/by/4.0/zz/", "CC-BY-4.0"),
        (CC + "licenses/by/4.01/", None),
        (CC + "licenses/by-sa-nc/4.0/", None),
        (CC + "licenses/", None),
        ("https://evil.example/?u=" + CC + "licenses/by/4.0/", None),
        ("https://creativecommons.org.evil.example/licenses/by/4.0/", None),
        ("/terms", None),
    ],
)
def test_links_have_the_id_of_the_licence_that_they_lead_to(url: str, known_id: str | None) -> None:
    found = license_of_link(url, base_url="https://h/page", stated_in="test")
    assert found is not None
    assert (found.id, found.text, found.stated_in) == (known_id, None, "test")
    assert found.url is not None
    assert found.url.startswith(("http://", "https://"))


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "data:text/html,<script>",
        "mailto:a@b",
        "file:///etc/passwd",
        "http://",
        "https://h/" + "a" * MAX_URL_CHARS,
        "x" * 10_000_000,
    ],
)
def test_what_leads_to_no_web_page_is_no_licence(href: str) -> None:
    assert license_of_link(href, base_url="https://h/page", stated_in="test") is None


@pytest.mark.parametrize(
    ("text", "known_id"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("cc-by-nc-nd-2.0", "CC-BY-NC-ND-2.0"),
        ("CC BY-SA 3.0 DE", "CC-BY-SA-3.0-DE"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International License", "CC-BY-NC-SA-4.0"),
        ("CC0", "CC0-1.0"),
        ("apache-2.0", "Apache-2.0"),
        ("  MIT\n", "MIT"),
        (f"(c) me, see {CC}licenses/by/4.0/.", "CC-BY-4.0"),
        (f"{CC}licenses/by/4.0/ or {CC}licenses/by-sa/4.0/", None),
        ("CC BY", None),
        ("MIT or so", None),
        ("not CC BY 4.0", None),
        ("All rights reserved", None),
    ],
)
def test_only_whole_names_of_licences_are_known(text: str, known_id: str | None) -> None:
    found = license_of_text(text, stated_in="test")
    assert found is not None
    assert found.id == known_id
    assert found.text == " ".join(text.split())
    assert found.url == (f"{CC}licenses/by/4.0/." if known_id and CC in text else None)


@pytest.mark.parametrize("text", ["", "  ", "?", "Unknown", "n/a", "None", "\u200b"])
def test_what_says_nothing_is_unknown(text: str) -> None:
    assert license_of_text(text, stated_in="test") is None


def test_a_text_that_is_an_address_is_a_link() -> None:
    found = license_of_text(f" {CC}licenses/by/4.0/ ", stated_in="test")
    assert found is not None
    assert (found.id, found.url, found.text) == ("CC-BY-4.0", f"{CC}licenses/by/4.0/", None)


@pytest.mark.parametrize("piece", ["a", "a ", "cc by ", "https://creativecommons.org/", "<b>", "\ud800x", "\u202ea"])
def test_statements_of_megabytes_are_cut_and_quickly_read(piece: str) -> None:
    began_s = time.process_time()
    found = license_of_text("x" + piece * (10_000_000 // len(piece)), stated_in="test")
    assert found is not None
    assert found.text is not None
    assert len(found.text) <= MAX_TEXT_CHARS
    assert found.text.isprintable()
    assert time.process_time() - began_s < 1


def test_objects_and_lists_are_looked_into() -> None:
    assert read_license({"@type": "CreativeWork", "name": "CC BY 4.0"}, stated_in="x") is not None
    both = read_license({"name": "mine", "url": f"{CC}licenses/by/4.0/"}, stated_in="x")
    assert both is not None
    assert (both.id, both.text) == ("CC-BY-4.0", None)
    listed = read_license([None, 3, "?", ["MIT"], {"id": "MIT"}, "CC0"], stated_in="x")
    assert listed is not None
    assert listed.id == "MIT"


@pytest.mark.parametrize("value", [None, 4, True, {}, [], {"url": {"url": "MIT"}}])
def test_values_of_other_types_state_nothing(value: object) -> None:
    assert read_license(value, stated_in="x") is None
