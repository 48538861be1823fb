"""What may be asked of a live run, and how that is written on the way to it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Verb = Literal["show", "pause", "resume", "stop", "concurrency", "region", "out", "in"]
OF_REGIONS = frozenset({"region", "out", "in"})
#: the same as the settings allow
Most = Annotated[int, Field(ge=1, le=100_000)]
PerMinute = Annotated[int, Field(ge=1, le=10**12)]


class Order(BaseModel):
    """One thing that is asked of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    do: Verb
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None  #: of a region
    rpm: PerMinute | None = None
    tpm: PerMinute | None = None
    concurrency: Most | None = None

    @property
    def mistake(self) -> str:
        """What is wrong with it as a whole; empty where nothing is."""
        limits = (self.rpm, self.tpm, self.concurrency)
        if self.do in OF_REGIONS and self.name is None:
            return f"{self.do} needs the name of a region"
        if self.do == "region" and limits == (None, None, None):
            return "region NAME needs a limit: --rpm, --tpm or --concurrency"
        if self.do == "concurrency" and self.concurrency is None:
            return "concurrency needs a number"
        return ""
