"""FAISS comes in several builds that overwrite each other's files; this finds out whether exactly one is installed.

Installing ``faiss-cpu`` over ``faiss-gpu`` silently removes GPU support, and uninstalling it then leaves an empty
module.
"""

import importlib
from collections.abc import Iterable
from importlib.metadata import distributions
from typing import Any

from curate.contract.errors import CurateError


def find_faiss_build(installed: Iterable[str] | None = None) -> str:
    """Return the name of the one FAISS distribution.

    Args:
        installed: Names of the installed distributions; null means those of this environment.

    Raises:
        CurateError: There is none, or more than one; the text says what to do.
    """
    names = (str(dist.name) for dist in distributions()) if installed is None else installed
    normal = (name.lower().replace("_", "-").replace(".", "-") for name in names)
    builds = sorted({name for name in normal if name == "faiss" or name.startswith("faiss-")})
    if not builds:
        raise CurateError("cosine deduplication needs FAISS: install vila-curate[cpu] or vila-curate[gpu]")
    if len(builds) > 1:
        raise CurateError(
            f"several FAISS builds are installed ({', '.join(builds)}) and overwrite each other: "
            f"uninstall all of them (pip uninstall {' '.join(builds)}), then install one"
        )
    return builds[0]


def import_faiss() -> Any:
    """Return the ``faiss`` module, imported when it is first needed: it is an optional extra.

    Raises:
        CurateError: As ``find_faiss_build``.
    """
    find_faiss_build()
    return importlib.import_module("faiss")
