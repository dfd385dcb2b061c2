"""Rules: one pure function per file, columns in, a reason per row out, null keeps; ``registry.py`` lists them all.

``filters.image_clip(batch, config=filters.ClipFloorConfig(min=0.2))`` applies one to a batch by hand.
"""

from filters.doc.images import ImagesConfig
from filters.doc.images import images as doc_images
from filters.image.aspect import AspectConfig
from filters.image.aspect import aspect as image_aspect
from filters.image.clip import ClipFloorConfig
from filters.image.clip import clip as image_clip
from filters.image.size import SizeConfig
from filters.image.size import size as image_size
from filters.registry import RULES, RuleSpec
from filters.text.language import LanguageConfig
from filters.text.language import language as text_language
from filters.text.replacement import ReplacementConfig
from filters.text.replacement import replacement as text_replacement
from filters.text.words import WordsConfig
from filters.text.words import words as text_words
from filters.url.frequency import FrequencyConfig
from filters.url.frequency import frequency as url_frequency
from filters.url.tokens import TokensConfig
from filters.url.tokens import tokens as url_tokens

__all__ = [
    "RULES",
    "AspectConfig",
    "ClipFloorConfig",
    "FrequencyConfig",
    "ImagesConfig",
    "LanguageConfig",
    "ReplacementConfig",
    "RuleSpec",
    "SizeConfig",
    "TokensConfig",
    "WordsConfig",
    "doc_images",
    "image_aspect",
    "image_clip",
    "image_size",
    "text_language",
    "text_replacement",
    "text_words",
    "url_frequency",
    "url_tokens",
]
