"""How the ranks of a stage share its model: the part ``parallel`` of a stage file."""

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ParallelConfig(BaseModel):
    """How the ranks share the model. It changes what is learned by rounding alone, so a resumed run may change it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard: int | None = Field(None, ge=1)
    """Ranks that share one replica of weights, gradients and optimiser (FSDP2); null: as many as there are for each
    replica. Where a model fits on the GPUs of one machine, that many keep its traffic inside."""
    replicate: int = Field(1, ge=1)
    """Replicas of the sharded model (HSDP), whose gradients are summed once per step; ``shard`` x ``replicate`` is the
    number of ranks."""
    context: int = 1
    """Ranks that share one sequence: 1, for a pack is a rank's own."""
    defer_reduce: bool = False
    """Also within a replica, sum gradients once per step instead of once per micro-step: 4 bytes of every weight that
    learns stay whole on each rank, and a step of many micro-steps sends that much less. Worth it for models of a few
    billion weights on slow networks."""

    @field_validator("context")
    @classmethod
    def _check_context(cls, context: int) -> int:
        if context != 1:
            raise ValueError(
                "only 1: a sequence is not split over ranks. For 16k to 32k tokens, flex attention skips what no "
                "sample sees, the loss is taken in chunks, run.gradient_checkpointing with run.activation_offload "
                "keeps no activations on the GPU, and optim.micro_batch 1 and more ranks in parallel.shard make room"
            )
        return context
