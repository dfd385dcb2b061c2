from pathlib import Path

from pipelines.demo.author import Author
from pipelines.demo.documents import ImageRole
from pipelines.demo.faults import image_faults, page_faults
from pipelines.demo.foreign import LANGUAGES
from pipelines.demo.planner import language_of, plan_mmc4, plan_pages, plan_pairs
from pipelines.demo.site import Site

BASE = "http://127.0.0.1:8907"


def test_languages_take_turns_at_fixed_places() -> None:
    foreign = {number: language_of(number) for number in range(60) if language_of(number) != "en"}
    assert list(foreign) == [5, 17, 29, 41, 53]
    assert list(foreign.values()) == [*LANGUAGES, next(iter(LANGUAGES))]


def test_pages_hold_every_fault_once(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    pages = plan_pages(Author(site, seed=0), site, num_docs=44, sample=b"\xff" * 300)
    urls = [image.url for page in pages for image in page.images]
    for fault in image_faults(b"\xff" * 300):
        assert urls.count(site.url(fault.path)) == 1
    page_urls = [page.url for page in pages]
    assert len(set(page_urls)) == 44
    assert {site.url(fault.path) for fault in page_faults()} <= set(page_urls)
    assert any(url == f"{BASE}/go/pages/00010.html" for url in page_urls)


def test_a_few_pages_are_mostly_sound(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    pages = plan_pages(Author(site, seed=0), site, num_docs=4, sample=b"\xff" * 300)
    assert [bool(page.expected) for page in pages] == [False, False, False, True]


def test_no_pages_at_all(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    assert plan_pages(Author(site, seed=0), site, num_docs=0, sample=b"") == []


def test_foreign_documents_are_expected_to_go_as_a_whole(tmp_path: Path) -> None:
    site = Site(tmp_path, base_url=BASE)
    author = Author(site, seed=0)
    for documents in (plan_mmc4(author, site, num_docs=18), plan_pairs(author, num_docs=18)):
        wrong = [document for document in documents if document.lang != "en"]
        assert len(wrong) == 2
        assert all(document.expected == ("text.language",) for document in wrong)


def test_pairs_have_one_caption_one_picture_and_some_bad_urls(tmp_path: Path) -> None:
    pairs = plan_pairs(Author(Site(tmp_path, base_url=BASE), seed=0), num_docs=40)
    assert all(len(pair.texts) == len(pair.images) == 1 for pair in pairs)
    bad = [pair for pair in pairs if pair.images[0].role is ImageRole.FAULT]
    assert [pair.meta["number"] for pair in bad] == [2, 18, 34]
