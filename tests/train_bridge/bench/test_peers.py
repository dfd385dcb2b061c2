import pytest

from train_bridge.bench.peers import peer_version, webdataset_images


def test_versions_of_what_is_installed_and_what_is_not() -> None:
    assert str(peer_version("webdataset"))[0].isdigit()
    assert peer_version("no-such-loader") is None


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_webdataset_hands_out_every_image(pair_folder: str) -> None:
    images = list(webdataset_images(pair_folder))
    assert len(images) == 24
    assert {image[:2] for image in images} == {b"\xff\xd8"}
