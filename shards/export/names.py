"""Names of the foreign formats, apart from their code so that a command line can list them without loading it."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """What a shard set can be exported to."""

    OPENFLAMINGO = "openflamingo"
    MMC4 = "mmc4"
    OBELICS = "obelics"
    PAIRS = "pairs"
    LLAVA = "llava"
