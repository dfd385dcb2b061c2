from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from transformers import LlavaForConditionalGeneration

from tests.train_bridge.training.spread_ranks import built, full_gradients, model_config
from train_bridge.config import RunConfig
from train_bridge.model_config import Module
from train_bridge.training.recompute import Keeping, in_host_memory, recompute_activations, recomputed_modules

NUM_LAYERS = 3
CONFIG = model_config(width=32, num_layers=NUM_LAYERS, vocab_size=40)
BOTH = frozenset({Module.LLM, Module.VISION})


@pytest.mark.parametrize(
    ("setting", "modules"),
    [(True, BOTH), (False, frozenset()), (["llm"], {Module.LLM}), (["vision"], {Module.VISION}), ([], frozenset())],
)
def test_what_is_recomputed_is_a_setting(setting: object, modules: frozenset[Module]) -> None:
    assert recomputed_modules(RunConfig.model_validate({"gradient_checkpointing": setting})) == modules


def test_offloading_without_recomputation_is_refused() -> None:
    with pytest.raises(ValueError, match="only what gradient_checkpointing keeps is offloaded"):
        RunConfig(activation_offload=True, gradient_checkpointing=False)


def learn(model: LlavaForConditionalGeneration) -> dict[str, torch.Tensor]:
    model.train()
    ids_bl = torch.tensor([[3, 3, 3, 3, 7, 8, 9]])
    pixels = torch.ones(1, 3, 16, 16)
    torch.autograd.backward(model(input_ids=ids_bl, pixel_values=pixels, use_cache=False).logits.square().sum())
    return full_gradients(model)


def num_saved(modules: frozenset[Module]) -> int:
    """Return how many tensors a forward pass keeps."""
    count = 0

    def note(saved: torch.Tensor) -> torch.Tensor:
        nonlocal count
        count += 1
        return saved

    model = built(CONFIG)
    recompute_activations(model, modules)
    with torch.autograd.graph.saved_tensors_hooks(note, torch.Tensor.detach):
        model.train()(input_ids=torch.tensor([[3, 3, 3, 3, 7]]), pixel_values=torch.ones(1, 3, 16, 16), use_cache=False)
    return count


def test_each_module_keeps_less_where_it_is_chosen() -> None:
    none, vision, llm, both = (
        num_saved(frozenset(modules)) for modules in ((), (Module.VISION,), (Module.LLM,), (*BOTH,))
    )
    assert none > vision > both
    assert none > llm > both
    assert none - both == (none - vision) + (none - llm)


def counting(kept: list[torch.Size]) -> Keeping:
    @contextmanager
    def keeping() -> Iterator[None]:
        def note(saved: torch.Tensor) -> torch.Tensor:
            kept.append(saved.shape)
            return saved

        with torch.autograd.graph.saved_tensors_hooks(note, torch.Tensor.detach):
            yield

    return keeping


@pytest.mark.parametrize("modules", [BOTH, frozenset({Module.LLM})])
def test_only_the_inputs_of_layers_are_kept_elsewhere_and_the_gradients_are_the_same(
    modules: frozenset[Module],
) -> None:
    kept: list[torch.Size] = []
    expected = learn(built(CONFIG))
    for keeping in (counting(kept), in_host_memory):
        model = built(CONFIG)
        recompute_activations(model, modules, keeping=keeping)
        found = learn(model)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient)
    num_vision = 2 if Module.VISION in modules else 0
    assert kept == [(1, 5, 32)] * num_vision + [(1, 7, 32)] * NUM_LAYERS
