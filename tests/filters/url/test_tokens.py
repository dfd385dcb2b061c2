import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.url.tokens import TokensConfig, tokens


def reject(*urls: str | None, config: TokensConfig | None = None) -> list[str | None]:
    kind = pa.array(["interleaved"] * len(urls))
    batch = pa.record_batch({"kind": kind, "image_url": pa.array(urls, pa.string())})
    return list(tokens(batch, config=config or TokensConfig()).to_pylist())


@pytest.mark.parametrize(
    "url",
    [
        "https://h.org/logo.png",
        "https://h.org/img/site-logo_small.png",
        "https://h.org/Icons/a.png",
        "https://h.org/a/BUTTON",
        "https://h.org/a%20logo.png",
        "https://h.org/%6Cogo.png",
        "//h.org/widgets/1.gif",
        "https://h.org:8080/x/plugin?size=2",
        "https://h.org/logos",
        "https://h.org/r\u00e9sum\u00e9/icon-32x32.png",
    ],
)
def test_whole_tokens_of_the_path_are_found(url: str) -> None:
    assert reject(url) == ["url.tokens"]


@pytest.mark.parametrize(
    "url",
    [
        "https://h.org/silicon.png",
        "https://h.org/iconic/a.png",
        "https://h.org/logo2.png",
        "https://h.org/caf%C3%A9icon.png",
        "https://h.org/\u00e9icon.png",
        "https://logo.org/a.png",
        "https://icons.h.org",
        "https://h.org/a.png?type=logo",
        "https://h.org/a.png#logo",
        "https://h.org?/logo",
        "https://user:logo@h.org/a.png",
        "https://h.org/logoss.png",
        "https://h.org/",
        "data:image/png;base64,icon/icon",
        "not a url/logo",
        "",
        None,
    ],
)
def test_other_urls_are_kept(url: str | None) -> None:
    assert reject(url) == [None]


def test_plain_and_encoded_paths_in_one_batch_keep_their_places() -> None:
    urls = ["https://h/a%2Flogo", None, "https://h/logo", "https://h/%41", "https://h/x"]
    assert reject(*urls) == ["url.tokens", None, "url.tokens", None, None]


def test_one_s_own_tokens_whatever_their_case() -> None:
    config = TokensConfig(deny=("Avatar",))
    assert reject("https://h/avatars/1.png", "https://h/logo.png", config=config) == ["url.tokens", None]


@pytest.mark.parametrize("wrong", [[], ["app-icon"], [""], ["a|b"]])
def test_wrong_options_are_refused(wrong: list[str]) -> None:
    with pytest.raises(ValidationError):
        TokensConfig.model_validate({"deny": wrong})
