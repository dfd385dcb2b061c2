"""Low-rank adapters (LoRA, arXiv 2106.09685) beside the linear layers of a module, and how they become plain weights.

A layer with the weight W gives ``W x + s B A x``; only A and B learn, and B begins at zero. The layers are peft's, put
into the model where it is: its class, its configuration and the names of its other weights stay, and nothing of peft is
written to a checkpoint but those two matrices.

Shapes: R rank, I and O width of a layer's input and output: W [O, I], A [R, I], B [O, R]; s = alpha / R.
"""

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn

from curate.contract.errors import RecipeError
from train_bridge.model.parts import language_layers, module_of, unused_vision, vision_layers
from train_bridge.model_config import LoraConfig, ModelConfig, Module

PEFT = "peft"
ADAPTER, ROOT = "default", "model"
DOWN, UP = f".lora_A.{ADAPTER}.weight", f".lora_B.{ADAPTER}.weight"
BASE = ".base_layer"
CASTS_INPUT = "cast_input_dtype_enabled"
"""Of a layer of peft: it turns its input into fp32, which autocast would only turn back."""
LAYERS: dict[Module, Callable[[nn.Module], list[nn.Module]]] = {
    Module.LLM: language_layers,
    Module.VISION: vision_layers,
}


def check_lora(config: ModelConfig, *, find: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Check that adapters can be made.

    Args:
        config: Says whether there are any.
        find: Returns None for a package that is not there.

    Raises:
        RecipeError: They need a package that is not installed; names the extra that it comes with.
    """
    if config.lora and find(PEFT) is None:
        raise RecipeError((f"model.lora: adapters need {PEFT}; pip install 'vila-curate[lora]'",))


def add_adapters(model: nn.Module, config: ModelConfig, *, seed: int) -> list[str]:
    """Put adapters into a model, and let them learn beside what learns already; return the names of their weights.

    Args:
        model: Whole or on the meta device, with ``requires_grad`` set; where nothing is changed if there is no LoRA.
        config: Says which layers get one.
        seed: Of A; the same model and settings give the same ones.

    Raises:
        RecipeError: See ``find_targets``.
    """
    targets = find_targets(model, config)
    if not targets:
        return []
    learning = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    peft = importlib.import_module(PEFT)
    with torch.random.fork_rng(devices=[]), next(model.parameters()).device:
        torch.default_generator.manual_seed(seed)
        for module, names in targets.items():
            own = config.lora[module]
            settings = peft.LoraConfig(
                r=own.rank,
                lora_alpha=2 * own.rank if own.alpha is None else own.alpha,
                lora_dropout=own.dropout,
                target_modules="|".join(re.escape(f"{ROOT}.{name}") for name in names),
            )
            # Not told that this is a model of transformers, peft keeps to the layers that it is given, and to itself.
            peft.inject_adapter_in_model(settings, nn.ModuleDict({ROOT: model}), adapter_name=ADAPTER)
    for name in (name for names in targets.values() for name in names):
        setattr(model.get_submodule(name), CASTS_INPUT, False)
    for name, parameter in model.named_parameters():
        parameter.requires_grad = is_adapter(name) or id(parameter) in learning
    return [name for name, _ in model.named_parameters() if is_adapter(name)]


def is_adapter(name: str) -> bool:
    """Say whether a weight of this name is an adapter's."""
    return name.endswith((DOWN, UP))


def find_targets(model: nn.Module, config: ModelConfig) -> dict[Module, list[str]]:
    """Return the names of the layers that get an adapter, in the model's order, by module.

    Layers behind the vision feature that is used get none, for they would learn nothing.

    Raises:
        RecipeError: All patterns that match no linear layer, and modules without one.
    """
    unused = {id(parameter) for parameter in unused_vision(model)}
    found: dict[Module, list[str]] = {}
    faults: list[str] = []
    for module in (module for module in Module if module in config.lora):
        # Subclasses may be used for their weight alone, as attention of torch does: an adapter would have no effect.
        linear = {
            name: one
            for name, one in model.named_modules()
            if type(one) is nn.Linear and module_of(f"{name}.") is module and id(one.weight) not in unused
        }
        chosen, own_faults = _choose(model, linear, config.lora[module], module=module)
        faults += own_faults
        found[module] = [n for n in chosen if not any(fnmatchcase(f"{n}.weight", p) for p in config.freeze)]
        if not found[module] and not own_faults:
            faults.append(f"model.lora.{module}: there is no linear layer for an adapter, or model.freeze names all")
    if faults:
        raise RecipeError(tuple(faults))
    return found


def merge_adapters(model: nn.Module, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights as the model without adapters has them: W + s B A, in fp32.

    Args:
        model: With adapters or without; sharded or not.
        weights: Whole, of the model. They are taken out one by one, so that there are never two of all.
    """
    plain: dict[str, torch.Tensor] = {}
    for name in [name for name in weights if not is_adapter(name)]:
        layer, _, kind = name.rpartition(".")
        value = weights.pop(name)
        if layer.endswith(BASE):
            layer = layer.removesuffix(BASE)
            name = f"{layer}.{kind}"  # noqa: PLW2901 - as the plain model calls it
            if kind == "weight":
                value = _merged(model, value, weights, layer=layer)
        plain[name] = value
    return plain


def _merged(
    model: nn.Module, base_oi: torch.Tensor, weights: Mapping[str, torch.Tensor], *, layer: str
) -> torch.Tensor:
    down_ri, up_or = (weights[f"{layer}{part}"].float() for part in (DOWN, UP))
    scale = float(vars(model.get_submodule(layer))["scaling"][ADAPTER])
    return torch.addmm(base_oi.float(), up_or, down_ri, alpha=scale)


def _choose(
    model: nn.Module, linear: Mapping[str, nn.Linear], config: LoraConfig, *, module: Module
) -> tuple[list[str], list[str]]:
    """Return the names that are chosen among linear layers, and what is wrong with the patterns."""
    if config.targets == "all-linear":
        inside = {id(one) for layer in LAYERS[module](model) for one in layer.modules()}
        return [name for name, one in linear.items() if id(one) in inside], []
    tables = {name: one for name, one in model.named_modules() if isinstance(one, nn.Embedding)}
    tied = {id(table.weight) for table in tables.values()}
    faults = []
    for pattern in config.targets:
        matches = [name for name in linear if _matches(name, pattern)]
        where = f"model.lora.{module}.targets: {pattern}"
        if any(id(linear[name].weight) in tied for name in matches):
            faults.append(f"{where} is tied to the embeddings, which have no adapters; model.unfreeze lets both learn")
        elif not matches and any(_matches(name, pattern) for name in tables):
            faults.append(f"{where} is an embedding, which has no adapter here; model.unfreeze lets it learn")
        elif not matches:
            faults.append(f"{where} matches no linear layer; one of them is {min(linear, default='none')}")
    return [name for name in linear if any(_matches(name, pattern) for pattern in config.targets)], faults


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}")
