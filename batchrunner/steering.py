"""What a person may ask of a live run, and what comes of it, in a sentence each.

A change lives as long as the run does. It takes back nothing that was sent, and fails no job.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import UsageError
from .orders import Order
from .policy.helm import let_in, limit_region, take_out
from .policy.region import Region, RegionStatus
from .pool import RegionPool
from .summary import Stop
from .supervisor import Supervisor
from .terminal import printable


@dataclass(frozen=True, slots=True)
class Steering:
    """A live run, and whoever may change it."""

    supervisor: Supervisor
    tell: Callable[[str], None]

    def obey(self, order: Order) -> dict[str, Any]:
        """Do what is asked; returns what was changed, in words, and what is now true.

        UsageError where that cannot be.
        """
        if order.mistake:
            raise UsageError(order.mistake)
        said = [printable(sentence) for sentence in self._act(order)]
        for sentence in said:
            self.supervisor.steered(sentence)
            self.tell(f"ctl: {sentence}")
        return {"said": said, "state": self._state()}

    def _act(self, order: Order) -> list[str]:
        match order.do:
            case "show":
                return []
            case "pause":
                return self._pause()
            case "resume":
                return self._resume()
            case "stop":
                return self._stop()
            case "concurrency":
                return self._concurrency(order.concurrency or 1)
            case "region" | "out" | "in":
                return self._region(order)

    @property
    def _pool(self) -> RegionPool:
        return self.supervisor.caller.pool

    def _pause(self) -> list[str]:
        if not self._pool.pause():
            return []
        return [f"paused: nothing more is sent; {_ending(self._pool.in_flight)}"]

    def _resume(self) -> list[str]:
        return ["resumed: jobs are sent again"] if self._pool.resume() else []

    def _stop(self) -> list[str]:
        if self.supervisor.stopped is not None:
            return []
        reason = "stopped by ctl: run the same command again to go on"
        self.supervisor.drain(Stop(130, reason))
        return [f"stopping: nothing more is sent; {_ending(self._pool.in_flight)}"]

    def _concurrency(self, number: int) -> list[str]:
        pool, before = self._pool, self._pool.helm.concurrency
        pool.steer(lambda router, _: pool.helm.limit(router, number))
        self.supervisor.resize(number)
        late = f"; {_ending(pool.in_flight)}" if pool.in_flight > number else ""
        return [f"concurrency: at most {number:,} jobs in flight (was {before:,}){late}"]

    def _region(self, order: Order) -> list[str]:
        known = {region.name: region for region in self._pool.regions}
        region = known.get(str(order.name))
        if region is None:
            raise UsageError(f"there is no region {order.name!r}; known: {', '.join(known)}")
        if order.do == "region":
            return self._limit(region, order)
        return self._out(region) if order.do == "out" else self._in(region)

    def _limit(self, region: Region, order: Order) -> list[str]:
        rpm, tpm, most = order.rpm, order.tpm, order.concurrency
        quota, cap = region.quota, region.adaptive.cap
        was = quota.requests_per_minute, quota.tokens_per_minute
        self._pool.steer(
            lambda router, now: limit_region(
                router, now, region, rpm=rpm, tpm=tpm, concurrency=most
            )
        )
        names = ", ".join(self._pool.sharing(region))
        said = []
        if rpm is not None:
            changed = _limited(rpm, "requests", was[0], quota.requests_per_minute)
            said.append(f"{names}: {changed}")
        if tpm is not None:
            said.append(f"{names}: {_limited(tpm, 'tokens', was[1], quota.tokens_per_minute)}")
        if most is not None:
            said.append(f"{region.name}: at most {most:,} in flight (was {cap:,})")
        return said

    def _out(self, region: Region) -> list[str]:
        if region.by_hand:
            return []
        self._pool.steer(lambda *_: take_out(region))
        alone = self._pool.is_unmanned
        more = "; no region is left, so that jobs wait until one is let in" if alone else ""
        return [f"{region.name}: out; {_ending(region.in_flight)}{more}"]

    def _in(self, region: Region) -> list[str]:
        reason = region.barred or "; ".join(region.missing.values())
        if not self._pool.steer(lambda router, now: let_in(router, now, region)):
            return []
        more = f"; one request goes first, as it was out ({reason})" if reason else ""
        return [f"{region.name}: in again{more}"]

    def _state(self) -> dict[str, Any]:
        """What is true now."""
        progress, pool = self.supervisor.progress(), self._pool
        return {
            "paused": pool.helm.is_paused,
            "stopping": self.supervisor.stopped is not None,
            "concurrency": pool.helm.concurrency,
            "waiting": pool.waiting,
            "in_flight": pool.in_flight,
            "done": progress.done,
            "failed": progress.stats.failed,
            "total": progress.total,
            "note": progress.note,
            "regions": {
                region.name: _shown(status, pool.sharing(region))
                for region, status in zip(pool.regions, progress.regions, strict=True)
            },
        }


def _ending(count: int) -> str:
    return f"{count:,} in flight end by themselves" if count != 1 else "1 in flight ends by itself"


def _limited(asked: float, unit: str, was: float | None, holds: float | None) -> str:
    """A limit in words: what it is now, what it was, and whether a lower one holds."""
    before = "not known" if was is None else f"{was:,.0f}"
    lower = holds is not None and holds < asked - 0.5
    more = f"; the service names {holds:,.0f}, which holds" if lower else ""
    return f"{asked:,} {unit} per minute (was {before}){more}"


def _shown(status: RegionStatus, sharing: list[str]) -> dict[str, Any]:
    return {
        "state": status.state,
        "reason": status.reason,
        "opens_in_s": round(status.opens_in, 3),
        "in_flight": status.in_flight,
        "concurrency": status.limit,
        "rpm": status.rpm,
        "tpm": status.tpm,
        "use": round(status.use, 4),
        "shares_with": [name for name in sharing if name != status.name],
    }
