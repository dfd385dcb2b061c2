import pytest
from PIL.JpegImagePlugin import JpegImageFile

from curate.contract.reasons import FetchStatus
from curate.fetch.decode import readers
from curate.fetch.decode.readers import has_heif, open_image, profile_of
from curate.fetch.errors import FetchError
from tests.curate.fetch import samples
from tests.curate.fetch.decode.test_colour import swapped_profile

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_profiles_are_found(kind: str) -> None:
    for profile in (swapped_profile(), None):
        data = samples.encoded(samples.picture(), kind, icc_profile=profile)
        assert profile_of(open_image(data, kind), data) == profile


def test_a_jpeg_is_opened_again_without_what_its_reader_cannot_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    class Touchy(JpegImageFile):
        def _open(self) -> None:
            raise ValueError("junk in a segment")

    monkeypatch.setitem(readers._READERS, "JPEG", Touchy)
    assert open_image(samples.jpeg(), "JPEG").size == (samples.WIDTH, samples.HEIGHT)


@pytest.mark.skipif(has_heif(), reason="the extra is installed")
def test_heic_names_the_extra_that_reads_it() -> None:
    with pytest.raises(FetchError, match="HEIC, for which the extra `heif`") as caught:
        open_image(HEIC, "HEIC")
    assert caught.value.status == FetchStatus.NOT_AN_IMAGE


@pytest.mark.skipif(not has_heif(), reason="the extra is not installed")
def test_heic_that_is_none_is_refused() -> None:
    with pytest.raises((OSError, SyntaxError, ValueError, RuntimeError)):
        open_image(HEIC, "HEIC").load()
