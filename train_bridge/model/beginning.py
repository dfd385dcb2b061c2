"""What a stage begins with, looked at before anything is read: weights that are random, or thrown away, by accident."""

from curate.contract.errors import RecipeError
from train_bridge.checkpoints.projector_file import has_projector
from train_bridge.config import StageConfig
from train_bridge.model_config import Module


def check_beginning(config: StageConfig) -> None:
    """Refuse a stage whose projector would be random, or another than a folder holds, without its saying so.

    Raises:
        RecipeError: All that is so, each with its setting.
    """
    model = config.model
    if config.init_from is not None:
        if model.projector_from is not None:
            raise RecipeError(("model.projector_from: init_from has a projector, which would be thrown away",))
        return
    if model.tiny is not None or model.projector_from is not None:
        return
    faults = [
        f"{where}: {name} holds a projector too, which would be thrown away; init_from takes the whole model, "
        "model.projector_from its projector, and random says that a new one is meant"
        for where, name in (("model.vision", model.vision), ("model.llm", model.llm))
        if name is not None and has_projector(name)
    ]
    if Module.LLM in (model.trainable | model.lora.keys()) and not faults:
        faults.append(
            "model.projector_from: the projector would begin with random weights while the language model learns; "
            "train it alone first (stage 0) and go on with init_from, name its weights, or say random"
        )
    if faults:
        raise RecipeError(tuple(faults))
