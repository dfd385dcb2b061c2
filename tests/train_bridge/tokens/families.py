"""Chat templates of a dozen families, restated by what they do, and tokenizers of every kind, made here."""

import json
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from train_bridge.checkpoints.conversations import HERMES_2, LLAMA_3

UNKNOWN = "<unk>"
TEXTS = [
    "What is it? A dog. A cat sits on the table; 42 birds fly (b) over the house.",
    "Be kind. Look at the picture, and say what you see. été, 犬, naïve café.",
    "USER: ASSISTANT: user assistant system model [INST] [/INST] human: gpt: \n\n think thinking",
] * 20

_ALTERNATE = (
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}"
)

TEMPLATES = {
    "vicuna": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}USER: {{ m['content'] }} "
        "{% elif m['role'] == 'assistant' %}ASSISTANT: {{ m['content'] }}{{ eos_token }}"
        "{% else %}{{ m['content'] }} {% endif %}{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    # The system speaks where nobody spoke for it.
    "qwen2": (
        "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}<|im_start|>system\n"
        "You are a helpful assistant<|im_end|>\n{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    "vila-llama3": LLAMA_3,
    "vila-hermes2": HERMES_2,
    # The last answer gets an empty train of thought, those before it lose theirs.
    "qwen3": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
        "{% if m['role'] == 'assistant' %}{% set said = m['content'].split('</think>')[-1].lstrip('\n') %}"
        "{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ said }}{% else %}{{ m['content'] }}{% endif %}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
    ),
    "llama2": (
        "{% set has_system = messages[0]['role'] == 'system' %}"
        "{% set rest = messages[1:] if has_system else messages %}"
        "{% for m in rest %}{% if m['role'] == 'user' %}{{ bos_token }}[INST] "
        "{% if loop.first and has_system %}<<SYS>>\n{{ messages[0]['content'] }}\n<</SYS>>\n\n{% endif %}"
        "{{ m['content'].strip() }} [/INST]{% else %} {{ m['content'].strip() }} {{ eos_token }}{% endif %}{% endfor %}"
    ),
    "llama3": (
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
        "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
    ),
    # What the system says goes into the last turn of the user.
    "mistral": (
        "{% set has_system = messages[0]['role'] == 'system' %}"
        "{% set rest = messages[1:] if has_system else messages %}"
        "{{ bos_token }}{% for m in rest %}{% if m['role'] == 'user' %}[INST] "
        "{% if has_system and m is sameas(rest | selectattr('role', 'equalto', 'user') | list | last) %}"
        "{{ messages[0]['content'] }}\n\n{% endif %}{{ m['content'] }} [/INST]"
        "{% else %} {{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
    ),
    "gemma": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        f"{{% endif %}}{_ALTERNATE}"
        "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
        "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    ),
    "phi3": (
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}"
    ),
    "zephyr": (
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}{{ eos_token }}\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
    ),
    # Thinking is cut out of every answer, and a prompt begins a new one.
    "r1": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}<|User|>{{ m['content'] }}"
        "{% elif m['role'] == 'assistant' %}<|Assistant|>{{ m['content'].split('</think>')[-1] }}<|end_of_sentence|>"
        "{% else %}{{ m['content'] }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
    ),
    # Content is a list of parts, images first.
    "llava": (
        "{% for m in messages %}{{ m['role'].upper() }}: "
        "{% for part in m['content'] | selectattr('type', 'equalto', 'image') %}<image>\n{% endfor %}"
        "{% for part in m['content'] | selectattr('type', 'equalto', 'text') %}{{ part['text'] }}{{ ' ' }}{% endfor %}"
        "{% if m['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
    ),
    # Strings are refused.
    "parts": (
        "{% for m in messages %}{% if m['content'] is string %}{{ raise_exception('parts only') }}{% endif %}"
        "<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
        "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    ),
    # The final answer has another end than those before it.
    "harmony": (
        "{% for m in messages %}{% if m['role'] == 'assistant' %}<|start|>assistant<|channel|>final<|message|>"
        "{{ m['content'] }}{{ '<|return|>' if loop.last else '<|end|>' }}"
        "{% else %}<|start|>{{ m['role'] }}<|message|>{{ m['content'] }}<|end|>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
    ),
}

CONTROL = (
    "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>",
    "<start_of_turn>", "<end_of_turn>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|User|>",
    "<|Assistant|>", "<|end_of_sentence|>", "<|start|>", "<|channel|>", "<|message|>", "<|return|>",
)  # fmt: skip


def gpt2() -> Tokenizer:
    """Bytes, and two line breaks are one token at the end of a text but two before a word."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return trained(tokenizer, trainers.BpeTrainer(**options(), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))


def byte_level() -> Tokenizer:
    """As Llama 3's and Qwen's: line breaks stay together."""
    pattern = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return trained(tokenizer, trainers.BpeTrainer(**options(), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))


def sentencepiece_bpe() -> Tokenizer:
    """As Llama 2's: spaces are part of words, and bytes stand in for unknown characters."""
    learner = Tokenizer(models.BPE(unk_token=UNKNOWN))
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    learned = json.loads(trained(learner, trainers.BpeTrainer(**options(), initial_alphabet=list("▁\n"))).to_str())
    vocab = learned["model"]["vocab"]
    vocab |= {f"<0x{value:02X}>": len(vocab) + value for value in range(256)}
    merges = [tuple(pair) for pair in learned["model"]["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token=UNKNOWN, byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


def unigram() -> Tokenizer:
    """As T5's or XLNet's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace()
    return trained(tokenizer, trainers.UnigramTrainer(**options(), unk_token=UNKNOWN))


def options() -> dict[str, Any]:
    return {"vocab_size": 900, "special_tokens": ["<s>", "</s>", UNKNOWN], "show_progress": False}


def trained(tokenizer: Tokenizer, trainer: trainers.Trainer) -> Tokenizer:
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


KINDS = {"byte-level": byte_level, "gpt2": gpt2, "sentencepiece": sentencepiece_bpe, "unigram": unigram}


def make_tokenizer(kind: str, template: str) -> PreTrainedTokenizerFast:
    """Return a tokenizer of a kind with a family's template."""
    backend = KINDS[kind]()
    backend.add_special_tokens(["<s>", "</s>", UNKNOWN])
    backend.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<image>", *CONTROL)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",  # noqa: S106 - no password
        eos_token="</s>",  # noqa: S106 - ditto
        unk_token=UNKNOWN,
        chat_template=TEMPLATES[template],
    )
