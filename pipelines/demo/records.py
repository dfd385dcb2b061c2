"""Documents to the lines and rows of the record formats."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.demo.documents import WorldDocument, WorldImage

MATCHED_SIM = 0.9
OTHER_SIM = 0.1
"""What an MMC4 record claims; the pipeline measures for itself."""
PAIRS = pa.schema(
    [
        pa.field("url", pa.string()),
        pa.field("text", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("num_letters", pa.int64()),
    ]
)


def mmc4_line(document: WorldDocument) -> str:
    """Return one JSON line with the fields of MMC4 (Zhu et al. 2023): one string a sentence, images beside them."""
    texts = document.texts
    record = {
        "url": document.url,
        "text_list": texts,
        "image_info": [_image_info(image, texts) for image in document.images],
        "similarity_matrix": [
            [MATCHED_SIM if text == image.sentence else OTHER_SIM for text in texts] for image in document.images
        ],
        "could_have_url_duplicate": 0,
    }
    return json.dumps(record, ensure_ascii=False)


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write one line each, UTF-8."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write_pairs(path: Path, documents: Sequence[WorldDocument]) -> None:
    """Write a Parquet file of picture URLs, captions and two more columns."""
    rows = [{"url": doc.images[0].url, "text": doc.texts[0], **doc.meta} for doc in documents]
    pq.write_table(pa.Table.from_pylist(rows, schema=PAIRS), path)


def _image_info(image: WorldImage, texts: Sequence[str]) -> dict[str, object]:
    matched = texts.index(image.sentence) if image.sentence in texts else 0
    return {
        "image_name": image.url.rsplit("/", 1)[-1],
        "raw_url": image.url,
        "matched_text_index": matched,
        "matched_sim": MATCHED_SIM if image.sentence else OTHER_SIM,
        "face_detections": None,
    }
