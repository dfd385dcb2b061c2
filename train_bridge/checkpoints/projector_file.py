"""A projector alone, out of a file of its own or out of a model's folder, whatever the layout calls it.

Original LLaVA and VILA v1.0 write ``mm_projector.bin`` after their first stage; the others hold it among their weights.
"""

from pathlib import Path

import torch

from curate.contract.errors import CurateError
from train_bridge.checkpoints.layouts import local_folder
from train_bridge.checkpoints.tensors import Tensors, has_tensors, read_tensors, tensor_names

PREFIXES = (
    "base_model.model.model.mm_projector.",
    "model.multi_modal_projector.",
    "multi_modal_projector.",
    "model.mm_projector.",
    "mm_projector.",
    "layers.",
)
"""Under which projectors stand, the longest first; the first one in what LLaVA writes beside LoRA adapters."""
PLAIN_PLACES = {"linear_1": "0", "linear_2": "2"}
"""Layers of plain LLaVA, and where NVlabs/VILA has them."""
SUBFOLDERS = ("mm_projector", "projector")


def read_projector(place: str, *, kind: str) -> Tensors:
    """Return the weights of a projector as NVlabs/VILA names them behind ``layers.``.

    Args:
        place: A file, a folder or a name on the hub.
        kind: Type, as NVlabs/VILA names it: a linear one and one of two layers can lie alike.

    Raises:
        CurateError: There is no projector in it.
    """
    path = place if Path(place).is_file() else _folder_with_weights(local_folder(place))
    prefix = _prefix(path)
    return named_as_layers(read_tensors(path, prefix=prefix), kind=kind)


def named_as_layers(tensors: Tensors, *, kind: str) -> Tensors:
    """Return a projector's weights as NVlabs/VILA names them behind ``layers.``, from either of the two namings.

    Args:
        tensors: As plain LLaVA names them, or as NVlabs/VILA does.
        kind: Type, as NVlabs/VILA names it.

    Raises:
        CurateError: It is linear, and has a second matrix that does something.
    """
    tensors = {name.removeprefix("layers."): value for name, value in tensors.items()}
    if "linear_1.weight" not in tensors:
        return tensors
    if kind == "linear":
        if not _is_identity(tensors):
            raise CurateError("a linear projector is one matrix; this one has a second one that is not the identity")
        return {n.removeprefix("linear_1."): value for n, value in tensors.items() if n.startswith("linear_1.")}
    return {f"{PLAIN_PLACES.get(n.partition('.')[0], n)}.{n.partition('.')[2]}": v for n, v in tensors.items()}


def has_projector(folder: str) -> bool:
    """Say whether a folder, such as one that is named as a tower or a language model, holds a projector too."""
    path = Path(folder)
    if not path.is_dir():
        return False
    inside = [path / name for name in SUBFOLDERS if (path / name).is_dir()]
    if any(has_tensors(one) for one in inside):
        return True
    names = tensor_names(folder) if has_tensors(path) else []
    return any(name.startswith(PREFIXES[:-1]) for name in names)


def _folder_with_weights(folder: str) -> str:
    inside = [Path(folder, name) for name in SUBFOLDERS]
    return next((str(one) for one in inside if one.is_dir() and has_tensors(one)), folder)


def _prefix(place: str) -> str:
    names = tensor_names(place)
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in names):
            return prefix
    if set(names) <= {"weight", "bias"} or all(name[:1].isdigit() for name in names):
        return ""
    raise CurateError(f"{place} holds no projector: none of its tensors is called {', '.join(PREFIXES)}*")


def _is_identity(tensors: Tensors) -> bool:
    second = tensors["linear_2.weight"].float()
    is_square = second.ndim == 2 and second.shape[0] == second.shape[1]  # noqa: PLR2004 - a matrix
    return bool(
        is_square
        and torch.equal(second, torch.eye(len(second)))
        and not ("linear_2.bias" in tensors and tensors["linear_2.bias"].any())
    )
