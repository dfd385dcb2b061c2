import pickle

from curate.contract.reasons import FetchStatus
from curate.fetch.errors import FetchError


def test_survives_pickling() -> None:
    error = FetchError(FetchStatus.HTTP_429, "HTTP 429", 429, 2.5)
    error = pickle.loads(pickle.dumps(error))  # noqa: S301 bytes of our own
    assert (error.status, error.detail, error.http_status, error.retry_after_s) == ("http_429", "HTTP 429", 429, 2.5)
