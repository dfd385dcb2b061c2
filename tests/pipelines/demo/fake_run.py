"""A run folder that got everything right, to be spoilt by tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.contract.reasons import Modality
from curate.contract.schemas import DOCUMENTS, IMAGES, ITEMS, MATCHES, VERDICTS, table_from_rows
from pipelines.demo.documents import ImageRole, WorldImage, WorldSource
from pipelines.demo.truth import TruthDocument

Row = dict[str, Any]


class FakeRun:
    """Rows of the tables that the evaluation reads; change them, then write them."""

    def __init__(self) -> None:
        self.documents: list[Row] = []
        self.items: list[Row] = []
        self.fetched: list[Row] = []
        self.matches: list[Row] = []
        self.verdicts: list[Row] = []

    def add(self, document: TruthDocument) -> str:
        doc_id = f"{document.source}-{document.row:05d}"
        self.documents.append(
            {"doc_id": doc_id, "source": document.source, "kind": "interleaved", "url": document.url, "meta": "{}"}
        )
        images = [image for image in document.images if image.role is not ImageRole.BOILERPLATE]
        if document.expected:
            self.judge(doc_id, -1, document.expected[0])
        for number, image in enumerate(images):
            self._add_image(doc_id, 2 * number, image, rejected=bool(document.expected))
        return doc_id

    def judge(self, doc_id: str, position: int, reason: str | None) -> None:
        """Replace the verdict on one item; None takes it back."""
        self.verdicts = [row for row in self.verdicts if (row["doc_id"], row["position"]) != (doc_id, position)]
        if reason is not None:
            verdict = {"doc_id": doc_id, "position": position, "stage": "keep", "reason": reason}
            self.verdicts.append(verdict)

    def place_of(self, url: str) -> tuple[str, int]:
        row = next(row for row in self.items if row.get("image_url") == url)
        return row["doc_id"], row["position"]

    def write(self, out: Path, sources: Sequence[str] = tuple(WorldSource)) -> Path:
        out.mkdir(parents=True, exist_ok=True)
        names = "".join(f"  - {{name: {name}}}\n" for name in sources)
        (out / "recipe.yaml").write_text(f"sources:\n{names}")
        decision = "0123456789abcdef"
        (out / "ledger.json").write_text(json.dumps({"decision": decision}))
        tables = (
            ("ingest/documents", self.documents, DOCUMENTS),
            ("ingest/items", self.items, ITEMS),
            ("fetch/images", self.fetched, IMAGES),
            (f"decided/{decision}/matches", self.matches, MATCHES),
            (f"decided/{decision}/verdicts", self.verdicts, VERDICTS),
        )
        for folder, rows, schema in tables:
            self._write(out / folder, rows, schema)
        return out

    def _add_image(self, doc_id: str, position: int, image: WorldImage, *, rejected: bool) -> None:
        text = {"doc_id": doc_id, "position": position + 1, "modality": Modality.TEXT}
        item = {"doc_id": doc_id, "position": position, "modality": Modality.IMAGE, "image_url": image.url}
        self.items += [item, {**text, "text": f"{image.sentence} And more." if image.sentence else "Nothing."}]
        if rejected:
            self.judge(doc_id, position, "doc.rejected")
            return
        status = "robots_disallowed" if image.role is ImageRole.ROBOTS else "ok"
        self.fetched.append({"doc_id": doc_id, "position": position, "image_url": image.url, "status": status})
        if image.expected:
            self.judge(doc_id, position, image.expected[0])
        else:
            self.matches.append({"doc_id": doc_id, "position": position, "matched_position": position + 1})

    @staticmethod
    def _write(folder: Path, rows: list[Row], schema: pa.Schema) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted({row["doc_id"].split("-")[0] for row in rows})
        for name in names:
            own = [row for row in rows if row["doc_id"].startswith(f"{name}-")]
            pq.write_table(table_from_rows(own, schema), folder / f"{name}-00000-00000.parquet")
