"""url.tokens: the image's URL does not call it a logo, a button or the like."""

from typing import Annotated
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from curate.contract.reasons import Reason
from filters.outcome import WITH_IMAGES, Kinds, reject_unless

_PATH_OF_URL = r"^(?:[A-Za-z][A-Za-z0-9+.\-]*:)?//[^/?#]*(?P<path>/[^?#]*)"


def _lower_case_word(token: str) -> str:
    if not token.isalnum():
        raise ValueError(f"{token!r} is not one token: letters and digits only")
    return token.lower()


class TokensConfig(BaseModel):
    """Unwanted tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    deny: tuple[Annotated[str, AfterValidator(_lower_case_word)], ...] = Field(
        default=("logo", "button", "icon", "plugin", "widget"), min_length=1
    )
    """MMC4's list. OBELICS adds porn, xxx and sex, MINT-1T avatar. Both look for substrings, which also hits "silicon"
    and "sussex"; here whole tokens count, alone or with an s."""
    kinds: Kinds = WITH_IMAGES
    """Kinds of documents it applies to."""


def tokens(batch: pa.RecordBatch, *, config: TokensConfig) -> pa.StringArray:
    """Return one rejection reason per row; null means keep.

    A token is a run of letters and digits in the URL's path, percent-encoding undone. Host and query are not looked at,
    nor is letter case.

    Args:
        batch: N image items; reads kind and image_url.
        config: The unwanted tokens.

    Returns:
        String array [N]. A URL without a path, or null, is kept: fetching will say what is wrong with it.
    """
    # \p{L} and \p{N}: letters and digits of any script. Tokens are alphanumeric, so nothing needs escaping.
    pattern = rf"(?i)(?:^|[^\p{{L}}\p{{N}}])(?:{'|'.join(config.deny)})s?(?:[^\p{{L}}\p{{N}}]|$)"
    found = pc.match_substring_regex(_decoded_paths(batch["image_url"]), pattern)
    good = pc.invert(pc.fill_null(found, fill_value=False))
    return reject_unless(good, kind=batch["kind"], kinds=config.kinds, reason=Reason.URL_TOKENS)


def _decoded_paths(urls: pa.StringArray) -> pa.StringArray:
    """Return the paths of absolute URLs [N], null where there is none."""
    paths = pc.struct_field(pc.extract_regex(urls, _PATH_OF_URL), "path")
    encoded = pc.fill_null(pc.match_substring(paths, "%"), fill_value=False)
    if encoded.true_count == 0:
        return paths
    decoded = [unquote(path) for path in paths.filter(encoded).to_pylist()]
    return pc.replace_with_mask(paths, encoded, pa.array(decoded, pa.string()))
