"""Why a sample of a shard is not trained on. Each is counted and named; none stops a run."""

from enum import StrEnum


class SampleFault(StrEnum):
    """The closed set of reasons."""

    UNREADABLE = "unreadable"  # its bytes are not there, or its JSON does not parse
    MALFORMED = "malformed"  # its JSON is not a record of the shard layout
    NO_TEXT = "no_text"  # nothing to predict
    NO_ASSISTANT = "no_assistant"  # labels are the assistant's turns, and there is none
    CHAT_TEMPLATE = "chat_template"  # the tokenizer's template refuses the order of roles
    BROKEN_IMAGE = "broken_image"  # an image that does not decode
    CHANGED = "changed"  # its tokens are not those that were counted when the run was planned
