"""Why a sample of a shard is not trained on. Each is counted and named; none stops a run by itself."""

from enum import StrEnum


class SampleFault(StrEnum):
    """The closed set of reasons."""

    UNREADABLE = "unreadable"  # its bytes are not there, or its JSON does not parse
    MALFORMED = "malformed"  # its JSON is not a record of the shard layout
    NO_TEXT = "no_text"  # nothing to predict
    NO_ASSISTANT = "no_assistant"  # labels are the assistant's turns, and there is none
    REFUSED_ROLE = "refused_role"  # the chat template refuses a role, or their order
    TEXT_LOST = "text_lost"  # the chat template leaves out, or changes, what a turn says
    IMAGE_LOST = "image_lost"  # the chat template leaves out an image, or writes one that is not there
    ANSWER_NOT_FOUND = "answer_not_found"  # no token of the conversation is the assistant's
    BROKEN_IMAGE = "broken_image"  # an image that does not decode
    EXCLUDED = "excluded"  # the stage's list of documents to leave out names it
    STORAGE = "storage"  # its storage has refused, or not answered, for as long as the stage waits
    CHANGED = "changed"  # its tokens are not those that were counted when the run was planned
