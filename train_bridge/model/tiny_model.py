"""A small LLaVA with random weights and a tokenizer learned from the shards, saved as ordinary Hugging Face folders."""

from collections.abc import Iterable, Iterator, Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import CLIPImageProcessor, CLIPVisionConfig, LlamaConfig, LlavaProcessor, PreTrainedTokenizerFast

from shards.reader import ShardReader, read_index, read_json_part
from train_bridge.model_config import TinyConfig
from train_bridge.tokens.chat import PLAIN_TEMPLATE

SPECIALS = ("<s>", "</s>", "<pad>", "<image>")
HEAD_WIDTH = 32
MAX_POSITIONS = 8192


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Learn a byte-level BPE that writes any text; the same texts give the same tokenizer.

    Args:
        texts: Read once.
        vocab_size: Upper bound; few texts give fewer tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bos = SPECIALS[0]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=[(bos, 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIALS[0],
        eos_token=SPECIALS[1],
        pad_token=SPECIALS[2],
        extra_special_tokens={"image_token": SPECIALS[3]},
        chat_template=PLAIN_TEMPLATE,
    )


def shard_texts(folders: Sequence[str], *, num_samples: int) -> Iterator[str]:
    """Yield the text items of the first samples of the sets, in stored order.

    Raises:
        ShardError: A sample cannot be read.
    """
    left = num_samples
    for folder in folders:
        index = read_index(folder).slice(0, left)
        left -= index.num_rows
        with ShardReader(folder) as reader:
            for batch in index.to_batches(max_chunksize=1024):
                for row in batch.to_pylist():
                    record = read_json_part(reader, row)
                    yield from (item["text"] for item in record["items"] if item["type"] == "text")


def build_tiny_processor(config: TinyConfig, *, texts: Iterable[str]) -> LlavaProcessor:
    """Return tokenizer and image processor of a tiny model; images are scaled to a square, nothing is cut off."""
    side = {"height": config.image_size, "width": config.image_size}
    return LlavaProcessor(
        image_processor=CLIPImageProcessor(size=side, crop_size=side, do_center_crop=False),
        tokenizer=train_tokenizer(texts, vocab_size=config.vocab_size),
        patch_size=config.patch_size,
        vision_feature_select_strategy="default",
        image_token=SPECIALS[3],
        num_additional_image_tokens=1,
        chat_template=PLAIN_TEMPLATE,
    )


def tiny_configs(config: TinyConfig, *, vocab_size: int) -> tuple[CLIPVisionConfig, LlamaConfig]:
    """Return the configurations of vision tower and language model.

    Args:
        config: Sizes.
        vocab_size: Tokens of the learned tokenizer.
    """
    vision = CLIPVisionConfig(
        hidden_size=config.vision_hidden_size,
        intermediate_size=2 * config.vision_hidden_size,
        num_hidden_layers=config.vision_num_layers,
        num_attention_heads=_num_heads(config.vision_hidden_size),
        image_size=config.image_size,
        patch_size=config.patch_size,
        projection_dim=config.vision_hidden_size,
        initializer_range=config.initializer_range,
    )
    heads = _num_heads(config.hidden_size)
    text = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=3 * config.hidden_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        max_position_embeddings=MAX_POSITIONS,
        initializer_range=config.initializer_range,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )
    return vision, text


def _num_heads(width: int) -> int:
    return width // HEAD_WIDTH if width % HEAD_WIDTH == 0 else 2
