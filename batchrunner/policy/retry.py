"""When to try a job again that met faults."""

from dataclasses import dataclass

MANY = 64  #: doublings, beyond which every pause is the longest


@dataclass(frozen=True, slots=True)
class Retry:
    """At most ``attempts`` faults a job; a pause when every region has failed it once more.

    Pauses double from ``first`` to ``longest`` seconds and are fully jittered:
    ``pause = chance * min(longest, first * 2**round)``, with ``chance`` in [0, 1).
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 30.0

    def gives_up(self, faults: int) -> bool:
        """Whether so many faults are enough."""
        return faults >= self.attempts

    def pause(self, rounds: int, chance: float) -> float:
        """Seconds to rest after every region has failed the job ``rounds`` times."""
        return chance * min(self.longest, self.first * 2.0 ** min(rounds, MANY))
