"""What a request has taken before it is sent, to be settled exactly once."""

from dataclasses import dataclass

from ..model import Job
from .budget import Need
from .calibration import Mark
from .region import Region


@dataclass(slots=True, eq=False)
class Lease:
    """The right to send one request to one region, paid for in advance.

    Nobody changes one; it is not frozen because one is made for every request, and that would
    take four times as long.
    """

    region: Region
    job: Job
    tokens: float
    sent: float
    mark: Mark | None  #: None: something had stopped counting
    quota_generation: int
    breaker_generation: int
    cost: float = 0.0  #: US dollars that the fallback may take for it
    need: Need | None = None  #: what is set aside for it, where a budget is kept
