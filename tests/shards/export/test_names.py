from shards.export.formats import FORMATS
from shards.export.names import ExportFormat


def test_every_name_has_its_exporter() -> None:
    assert list(FORMATS) == list(ExportFormat) == ["openflamingo", "mmc4", "obelics", "pairs", "llava"]
