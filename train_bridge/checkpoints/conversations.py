"""Conversations of the VILA family as chat templates; NVlabs/VILA picks them by the folder's name, this by the model.

Facts: ``llava/conversation.py`` of NVlabs/VILA. NVILA and later take the tokenizer's own template.
"""

from collections.abc import Mapping
from typing import Any

_CONTENT = """\
{%- macro write(content) -%}{%- if content is string -%}{{ content }}{%- else -%}{%- for part in content -%}\
{%- if part['type'] == 'image' -%}{{ '<image>\\n' }}{%- else -%}{{ part['text'] }}{%- endif -%}\
{%- endfor -%}{%- endif -%}{%- endmacro -%}"""
"""Writes content that is a string or a list of parts."""

VICUNA_V1 = (
    _CONTENT
    + """\
{{- bos_token -}}
{%- if messages[0]['role'] == 'system' -%}{{- write(messages[0]['content']) + ' ' -}}
{%- else -%}{{- "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, \
detailed, and polite answers to the user's questions. " -}}{%- endif -%}
{%- for message in messages -%}
{%- if message['role'] == 'user' -%}{{- 'USER: ' + write(message['content']) + ' ' -}}
{%- elif message['role'] == 'assistant' -%}{{- 'ASSISTANT: ' + write(message['content']) + eos_token -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'ASSISTANT:' -}}{%- endif -%}"""
)
"""``vicuna_v1``: v1.0, VILA1.5-3b and 13b."""

LLAMA_3 = (
    _CONTENT
    + """\
{%- set head = '<|start_header_id|>' -%}{%- set tail = '<|end_header_id|>\\n\\n' -%}
{{- '<|begin_of_text|>' + head + 'system' + tail -}}
{%- if messages[0]['role'] == 'system' -%}{{- write(messages[0]['content']) -}}
{%- else -%}{{- 'You are a helpful language and vision assistant. You are able to understand the visual content that \
the user provides, and assist the user with a variety of tasks using natural language.' -}}{%- endif -%}
{{- '<|eot_id|>' -}}
{%- for message in messages if message['role'] != 'system' -%}
{{- head + message['role'] + tail + write(message['content']) -}}
{{- '<|end_of_text|>' if loop.last and message['role'] == 'assistant' else '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- head + 'assistant' + tail -}}{%- endif -%}"""
)
"""``llama_3``: Llama-3-VILA1.5-8B."""

HERMES_2 = (
    _CONTENT
    + """\
{{- '<|im_start|>system\\n' -}}
{%- if messages[0]['role'] == 'system' -%}{{- write(messages[0]['content']) -}}
{%- else -%}{{- 'Answer the questions.' -}}{%- endif -%}{{- '<|im_end|>' -}}
{%- for message in messages if message['role'] != 'system' -%}
{{- '<|im_start|>' + message['role'] + '\\n' + write(message['content']) + '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
)
"""``hermes-2``: VILA1.5-40b."""

LLAMA_3_VOCAB = 128_000
HERMES_2_SHAPE = (60, 56)
"""Layers and heads of Yi-34B, by which NVlabs/VILA knows it too."""


def conversation_of(text_config: Mapping[str, Any]) -> str | None:
    """Return the chat template of a model of VILA v1.0 or 1.5; None for language models that they were not made of.

    Args:
        text_config: Of the language model.
    """
    if text_config.get("model_type") != "llama":
        return None
    if (text_config.get("num_hidden_layers"), text_config.get("num_attention_heads")) == HERMES_2_SHAPE:
        return HERMES_2
    return LLAMA_3 if int(text_config.get("vocab_size", 0)) >= LLAMA_3_VOCAB else VICUNA_V1
