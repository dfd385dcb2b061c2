"""The tensors of a model folder, from safetensors or from PyTorch's own files, by name; and back."""

from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError, safe_open

from curate.contract.errors import CurateError
from train_bridge.checkpoints.layouts import read_json
from train_bridge.failures import one_line

INDEX_SUFFIX = ".index.json"
KINDS = (
    "model.safetensors",
    "pytorch_model.bin",
    "mm_projector.bin",
    "non_lora_trainables.bin",
    "projector.safetensors",
    "projector.bin",
)
"""Names of weights' files, the best first; several files are listed by one of the same name and ``INDEX_SUFFIX``."""
SHARD_SIZE = "5GB"
TABLES = (".rotary_emb.inv_freq", ".embeddings.position_ids")
"""Ends of names of tables that older versions stored, and every version computes by itself."""

Tensors = dict[str, torch.Tensor]


def read_tensors(place: str, *, prefix: str = "", without: tuple[str, ...] = ()) -> Tensors:
    """Return the tensors of a folder or a file.

    Args:
        place: Folder with weights, or one file of them.
        prefix: Only those whose name begins so, without it.
        without: Not those whose name begins with one of these.

    Raises:
        CurateError: There are none, a file is missing or damaged, or two hold the same name.
    """

    def is_wanted(name: str) -> bool:
        is_left_out = bool(without and name.startswith(without)) or name.endswith(TABLES)
        return name.startswith(prefix) and not is_left_out

    tensors: Tensors = {}
    for path in _files(Path(place)):
        found = _read(path, is_wanted)
        if twice := sorted(tensors.keys() & found.keys()):
            raise CurateError(f"{path}: {twice[0]} stands in another file of the folder too")
        tensors |= found
    if not tensors:
        first = next(iter(tensor_names(place)), "none")
        raise CurateError(f"{place}: no tensor is called {prefix}*; the first is {first}")
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def tensor_names(place: str) -> list[str]:
    """Return the names of all tensors of a folder or a file, sorted.

    Raises:
        CurateError: See ``read_tensors``.
    """
    return sorted(name for path in _files(Path(place)) for name in _names(path))


def write_tensors(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors as safetensors with names as transformers has them, in files of 5 GB.

    Args:
        folder: Is made.
        tensors: On the CPU; none may share memory with another.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_torch_state_dict({name: _alone(value) for name, value in tensors.items()}, folder, max_shard_size=SHARD_SIZE)


def _alone(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that has its memory for itself: the first rows of a larger one do not."""
    whole = tensor.contiguous()
    return whole if whole.untyped_storage().nbytes() == whole.nbytes else whole.clone()


def has_tensors(folder: Path) -> bool:
    """Say whether a folder holds weights."""
    return any((folder / name).is_file() or (folder / f"{name}{INDEX_SUFFIX}").is_file() for name in KINDS)


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    for name in KINDS:
        index = place / f"{name}{INDEX_SUFFIX}"
        if index.is_file():
            names = sorted(set(read_json(index)["weight_map"].values()))
            inside = [place / one for one in names if Path(one).name == one]  # a name, not a path out of the folder
            missing = [path.name for path in inside if not path.is_file()]
            if missing or len(inside) < len(names):
                raise CurateError(f"{index} names files that are not there: {', '.join(missing or names)}")
            return inside
        if (place / name).is_file():
            return [place / name]
    raise CurateError(f"{place}: no weights; looked for {', '.join(KINDS)}")


def _read(path: Path, is_wanted: Callable[[str], bool]) -> Tensors:
    if path.suffix != ".safetensors":
        return {name: value for name, value in _unpickle(path).items() if is_wanted(name)}
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if is_wanted(name)}  # noqa: SIM118 - no dict
    except (SafetensorError, OSError) as error:
        raise CurateError(f"{path} cannot be read ({one_line(error)})") from error


def _names(path: Path) -> list[str]:
    if path.suffix != ".safetensors":
        return list(_unpickle(path))
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise CurateError(f"{path} cannot be read ({one_line(error)})") from error


def _unpickle(path: Path) -> Tensors:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UnpicklingError as error:
        raise CurateError(f"{path} holds more than tensors, which is not run ({one_line(error)})") from error
    except (RuntimeError, OSError, ValueError, EOFError) as error:
        raise CurateError(f"{path} cannot be read ({one_line(error)})") from error
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise CurateError(f"{path} holds something else than tensors by name")
    return found
