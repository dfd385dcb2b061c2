"""For all tests."""

import os

from hypothesis import settings

# The same examples on every run, so that what passes here passes there.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")

# A name that is no folder is not looked for on a hub, minute after minute.
os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their length: compressed ones hold the time, and two test processes must agree on names."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
