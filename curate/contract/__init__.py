"""What all packages agree on: schemas, reason codes, records, errors, ids; start at ``schemas.py``."""

from curate.contract.errors import (
    BlendError,
    CurateError,
    PartitionError,
    RecipeError,
    SchemaError,
    ShardError,
    StorageError,
)
from curate.contract.reasons import FetchStatus, IngestReason, Kind, Modality, Reason, Role, Stage
from curate.contract.verdicts import Verdict

__all__ = [
    "BlendError",
    "CurateError",
    "FetchStatus",
    "IngestReason",
    "Kind",
    "Modality",
    "PartitionError",
    "Reason",
    "RecipeError",
    "Role",
    "SchemaError",
    "ShardError",
    "Stage",
    "StorageError",
    "Verdict",
]
