import pytest

from curate.contract.errors import CurateError
from curate.dedup.faiss_build import find_faiss_build, import_faiss


@pytest.mark.parametrize("name", ["faiss-cpu", "faiss_gpu", "faiss-gpu-cuvs", "FAISS"])
def test_one_build_is_fine(name: str) -> None:
    assert find_faiss_build(["numpy", name, "not-faiss"]) == name.lower().replace("_", "-")


def test_one_build_that_is_listed_twice_is_one() -> None:
    assert find_faiss_build(["faiss-cpu", "faiss_cpu"]) == "faiss-cpu"


def test_two_builds_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(CurateError, match="pip uninstall faiss-cpu faiss-gpu-cu12"):
        find_faiss_build(["faiss-gpu-cu12", "faiss-cpu"])


@pytest.mark.parametrize("installed", [[], ["numpy", "faissx"]])
def test_no_build_is_an_error_that_says_what_to_do(installed: list[str]) -> None:
    with pytest.raises(CurateError, match="install"):
        find_faiss_build(installed)


def test_this_environment_has_one() -> None:
    assert find_faiss_build().startswith("faiss")
    assert hasattr(import_faiss(), "IndexFlatIP")
