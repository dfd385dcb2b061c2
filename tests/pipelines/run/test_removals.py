from pathlib import Path

import pytest

from curate.contract.errors import CurateError
from pipelines.run.folder import RunFolder
from pipelines.run.removals import Removals, load_removals, removals_of, store_removals


def test_addresses_are_compared_without_fragments_and_by_small_hosts() -> None:
    removals = Removals.of({"urls": ["HTTP://Host.example/A?b=1#c"]})
    assert removals.has_url("http://host.example/A?b=1#other")
    assert not removals.has_url("http://host.example/a?b=1")
    assert not removals.has_url(None)


@pytest.mark.parametrize("url", ["held:a.parquet#1", "file:///pictures/a#1.jpg", "data:image/png;base64,AAAA#1"])
def test_addresses_of_pictures_that_files_brought_are_compared_whole(url: str) -> None:
    removals = Removals.of({"urls": [url]})
    assert removals.has_url(url)
    assert not removals.has_url(url.replace("#1", "#2"))
    assert Removals.of(removals.to_json()) == removals


@pytest.mark.parametrize(
    ("url", "by_host", "by_domain"),
    [
        ("https://bad.example/x", True, True),
        ("http://www.bad.example:8080/x", False, True),
        ("http://BAD.example./", True, True),
        ("http://notbad.example/", False, False),
        ("http://example/", False, False),
        ("http://[broken", False, False),
    ],
)
def test_hosts_and_domains(url: str, *, by_host: bool, by_domain: bool) -> None:
    assert Removals.of({"hosts": ["bad.example"]}).has_url(url) == by_host
    assert Removals.of({"domains": ["*.bad.example"]}).has_url(url) == by_domain


def test_what_is_no_address_host_or_hash_is_named_and_nothing_is_taken() -> None:
    lists = {"urls": ["no address"], "hosts": ["http://a/"], "sha256": ["ab"], "domains": [""]}
    with pytest.raises(CurateError) as raised:
        Removals.of(lists)
    text = str(raised.value)
    assert "nothing was removed" in text
    for named in ("urls: 'no address'", "hosts: 'http://a/'", "sha256: 'ab'", "domains: ''"):
        assert named in text


def test_a_list_grows_is_kept_and_known_by_its_digest(tmp_path: Path) -> None:
    folder = RunFolder(str(tmp_path))
    assert not load_removals(folder)
    assert load_removals(folder).digest == ""
    first, second = Removals.of({"hosts": ["a.example"]}), Removals.of({"sha256": ["AB" * 32]})
    store_removals(folder, first | second)
    assert load_removals(folder) == Removals.of({"hosts": ["a.example"], "sha256": ["ab" * 32]})
    assert removals_of(folder, (first | second).digest) == first | second
    with pytest.raises(CurateError, match="has changed while a run was working"):
        removals_of(folder, first.digest)
