"""Options of the CLIP measures."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ClipConfig(BaseModel):
    """Which model scores images and texts, and how it is run."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    model: str = Field(min_length=1)
    """open_clip's name of a model (``ViT-L-14``), ``local-dir:/path`` or ``hf-hub:owner/name``; ``tiny`` is the
    bundled demo model. MMC4 scored with ViT-L-14 of OpenAI."""
    pretrained: str | None = None
    """open_clip's tag of the weights (``openai``) or a file. Only a model that is named without a place needs one."""
    batch_size: int = Field(default=256, ge=1)
    """Images or texts per forward pass; every pass has exactly that many. 256 fills a data-centre GPU."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward pass on a GPU; a CPU always computes in fp32."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """``auto`` takes the GPU if there is one."""
    num_threads: int = Field(default=1, ge=1)
    """CPU threads for decoding and for a forward pass on the CPU. It is an option, not the machine's count, because
    sums in another order have other last digits. One suits a machine that runs a worker process per core; a GPU worker
    needs about one per 250 images/s."""

    @property
    def names_its_place(self) -> bool:
        """Whether the model's name says where its weights are."""
        return self.model == "tiny" or self.model.startswith(("local-dir:", "hf-hub:"))

    @model_validator(mode="after")
    def _weights_are_known(self) -> Self:
        if not self.names_its_place and self.pretrained is None:
            raise ValueError(f"model {self.model!r} needs `pretrained`: the tag of its weights, such as openai")
        return self
