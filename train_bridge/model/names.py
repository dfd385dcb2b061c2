"""Folders and hub names of models: checked before anything is loaded, because a library's own words mislead."""

from pathlib import Path

from transformers.utils import cached_file

from curate.contract.errors import CurateError
from train_bridge.checkpoints.layouts import no_model

CONFIG_NAME = "config.json"
HUB_NAME_PARTS = 2
"""OWNER/NAME; a few old models have a NAME alone."""


def check_model_name(name: str, *, where: str) -> None:
    """Check that there is a model of this name, in a folder or on the hub.

    Args:
        name: Folder, or name on the hub.
        where: The setting that it is the value of.

    Raises:
        CurateError: There is none, or the hub cannot be asked.
    """
    if Path(name).is_dir():
        if not Path(name, CONFIG_NAME).is_file():
            raise CurateError(f"{where}: {name}: {no_model(Path(name))}")
        return
    if name.startswith(("/", ".", "~")) or name.count("/") >= HUB_NAME_PARTS:
        raise CurateError(f"{where}: {name}: no such folder, and no name that the hub could have")
    try:
        cached_file(name, CONFIG_NAME)
    except OSError as error:
        reason = " ".join(str(error).split())
        raise CurateError(f"{where}: {name}: no such folder, and no such model on the hub ({reason})") from error
