import json
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoProcessor, CLIPImageProcessor, LlavaProcessor, SiglipImageProcessor

from curate.contract.errors import CurateError, RecipeError
from tests.train_bridge.conftest import TINY, stage_config
from train_bridge.model.image_modes import image_form
from train_bridge.model.llava import build_model
from train_bridge.model.processor import build_processor, tokens_per_image
from train_bridge.model_config import ImageConfig


def test_a_tiny_processor_learns_from_the_shards(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    built = build_processor(stage_config(shard_folder, tmp_path))
    assert built.tokenizer.backend_tokenizer.to_str() == processor.tokenizer.backend_tokenizer.to_str()
    assert tokens_per_image(built) == (TINY.image_size // TINY.patch_size) ** 2


def test_a_folder_gives_its_own(shard_folder: str, processor: LlavaProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path / "done")
    (tmp_path / "done" / "config.json").write_text('{"model_type": "llava", "text_config": {}}')
    config = stage_config(shard_folder, tmp_path, init_from=str(tmp_path / "done"), model={"tiny": None})
    assert build_processor(config).image_token_id == processor.image_token_id


def test_parts_are_combined(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, model={"tiny": None, "vision": parts["clip"], "llm": parts["llm"]})
    built = build_processor(config)
    assert built.tokenizer.encode("<image>", add_special_tokens=False) == [built.image_token_id]
    assert built.tokenizer.pad_token is not None
    assert built.tokenizer.chat_template
    assert isinstance(built.image_processor, CLIPImageProcessor)
    assert (tokens_per_image(built), built.vision_feature_select_strategy) == (4, "default")


def test_a_tower_without_a_class_token_gives_all_its_tokens(
    shard_folder: str, parts: dict[str, str], tmp_path: Path
) -> None:
    config = stage_config(shard_folder, tmp_path, model={"tiny": None, "vision": parts["siglip"], "llm": parts["llm"]})
    built = build_processor(config)
    assert isinstance(built.image_processor, SiglipImageProcessor)
    assert (tokens_per_image(built), built.vision_feature_select_strategy) == (4, "full")


@pytest.mark.parametrize(
    ("image_size", "patch_size", "num_tokens"), [(16, 8, 1), (24, 8, 4), (64, 16, 4), (378, 14, 196)]
)
def test_downsampling_quarters_the_tokens_of_an_image(
    shard_folder: str, tmp_path: Path, image_size: int, patch_size: int, num_tokens: int
) -> None:
    tiny = TINY.model_copy(update={"image_size": image_size, "patch_size": patch_size}).model_dump()
    config = stage_config(shard_folder, tmp_path, model={"tiny": tiny, "projector": "mlp_downsample"})
    assert tokens_per_image(build_processor(config)) == num_tokens


def test_a_size_that_no_processor_can_count_is_refused(shard_folder: str, tmp_path: Path) -> None:
    tiny = TINY.model_copy(update={"image_size": 84, "patch_size": 4}).model_dump()  # 21 patches, 11 tokens a side
    config = stage_config(shard_folder, tmp_path, model={"tiny": tiny, "projector": "mlp_downsample"})
    with pytest.raises(CurateError, match="gives 11 x 11 tokens for images of 84 x 84 px"):
        build_processor(config)


def test_a_template_of_ones_own_and_its_variables_are_stored(shard_folder: str, tmp_path: Path) -> None:
    path = tmp_path / "own.jinja"
    path.write_text("{{ 'loud ' if loud }}{{ name }}{{ depth }}{% for m in messages %}{{ m['content'] }}{% endfor %}")
    variables = {"loud": False, "name": 'a "b"', "depth": 3}
    config = stage_config(shard_folder, tmp_path, data={"chat": {"template": str(path), "variables": variables}})
    build_processor(config).save_pretrained(tmp_path / "saved")
    tokenizer = AutoProcessor.from_pretrained(tmp_path / "saved").tokenizer
    chat = [{"role": "user", "content": "!"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == 'a "b"3!'
    assert tokenizer.apply_chat_template(chat, tokenize=False, loud=True, depth=4) == 'loud a "b"4!'


def test_a_template_that_is_not_there_is_a_fault_of_the_stage(shard_folder: str, tmp_path: Path) -> None:
    config = stage_config(shard_folder, tmp_path, data={"chat": {"template": "none.jinja"}})
    with pytest.raises(RecipeError, match=r"data\.chat\.template: none\.jinja cannot be read"):
        build_processor(config)


def age(folder: Path, *, keeps_processor: bool) -> None:
    """Make a folder of LLaVA as old as the first ones: no patch_size, no count of other tokens, old tokenizer words."""
    config = json.loads((folder / "processor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps(config.pop("image_processor")))
    if keeps_processor:
        (folder / "processor_config.json").write_text(json.dumps({"processor_class": "LlavaProcessor"}))
    else:
        (folder / "processor_config.json").unlink()
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    for name in ("processor_class", "extra_special_tokens", "backend", "image_token"):
        tokenizer.pop(name, None)
    tokenizer |= {"tokenizer_class": "PreTrainedTokenizerFast", "additional_special_tokens": ["<image>"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))


@pytest.mark.parametrize("keeps_processor", [True, False])
@pytest.mark.parametrize("vision", ["clip", "siglip"])
def test_llava_folders_of_every_age_say_how_many_tokens_an_image_is(
    shard_folder: str, parts: dict[str, str], tmp_path: Path, vision: str, *, keeps_processor: bool
) -> None:
    towers = {"tiny": None, "vision": parts[vision], "llm": parts["llm"]}
    config = stage_config(shard_folder, tmp_path, model=towers)
    processor = build_processor(config)
    model = build_model(config, processor=processor)
    model.save_pretrained(tmp_path / "old")
    processor.save_pretrained(tmp_path / "old")
    age(tmp_path / "old", keeps_processor=keeps_processor)
    old = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "old"))
    read = build_processor(old)
    assert tokens_per_image(read) == tokens_per_image(processor) == 4
    assert (read.patch_size, read.image_token_id) == (8, processor.image_token_id)
    assert read.tokenizer("A <image> b").input_ids == processor.tokenizer("A <image> b").input_ids
    assert build_model(old, processor=read).config.image_seq_length == 4


def test_padding_of_llava_is_kept(shard_folder: str, parts: dict[str, str], tmp_path: Path) -> None:
    towers = {"tiny": None, "vision": parts["clip"], "llm": parts["llm"]}
    config = stage_config(shard_folder, tmp_path, model=towers, image={"mode": "pad"})
    processor = build_processor(config)
    assert image_form(processor.image_processor).pads
    build_model(config, processor=processor).save_pretrained(tmp_path / "padded")
    processor.save_pretrained(tmp_path / "padded")
    again = stage_config(shard_folder, tmp_path, model={"tiny": None}, init_from=str(tmp_path / "padded"))
    assert image_form(build_processor(again).image_processor).pads
    cropped = again.model_copy(update={"image": ImageConfig(mode="crop")})
    assert not image_form(build_processor(cropped).image_processor).pads


@pytest.mark.parametrize(
    ("vision", "select", "num_tokens"),
    [("clip", "full", 5), ("clip", "default", 4), ("siglip", "full", 4)],
)
def test_tokens_of_the_tower_may_be_chosen(
    shard_folder: str, parts: dict[str, str], tmp_path: Path, vision: str, select: str, num_tokens: int
) -> None:
    chosen = {"tiny": None, "vision": parts[vision], "llm": parts["llm"], "vision_feature_select": select}
    built = build_processor(stage_config(shard_folder, tmp_path, model=chosen))
    assert (tokens_per_image(built), built.vision_feature_select_strategy) == (num_tokens, select)


def test_a_processor_for_another_size_of_images_is_refused(
    shard_folder: str, parts: dict[str, str], tmp_path: Path
) -> None:
    AutoConfig.from_pretrained(parts["clip"]).save_pretrained(tmp_path / "clip")
    side = {"height": 24, "width": 24}
    CLIPImageProcessor(size={"shortest_edge": 24}, crop_size=side).save_pretrained(tmp_path / "clip")
    towers = {"tiny": None, "vision": str(tmp_path / "clip"), "llm": parts["llm"]}
    with pytest.raises(CurateError, match="gives 24 x 24 px, the vision tower takes 16 x 16"):
        build_processor(stage_config(shard_folder, tmp_path, model=towers))


def test_tokens_of_a_tower_that_is_not_named_are_not_chosen(shard_folder: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"model\.vision_feature_select: only with model\.vision"):
        build_processor(stage_config(shard_folder, tmp_path, model={"vision_feature_select": "full"}))


def test_packs_longer_than_the_language_model_are_refused_before_any_token_is_counted(
    shard_folder: str, parts: dict[str, str], tmp_path: Path
) -> None:
    towers = {"tiny": None, "vision": parts["clip"], "llm": parts["llm"]}
    with pytest.raises(RecipeError, match=r"pack\.seq_length: 4096 is more than the 2048 positions"):
        build_processor(stage_config(shard_folder, tmp_path, model=towers, pack={"seq_length": 4096}))
