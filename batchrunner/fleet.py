"""The regions of a run: settings -> the accounts that the router keeps. Pure."""

from .config import Settings
from .policy.adaptive import Adaptive
from .policy.quota import Quota
from .policy.ratelimit import MINUTE, Limit, requests_per_minute
from .policy.region import Region
from .policy.router import Router
from .targets import Target


def usable(settings: Settings) -> list[Target]:
    """The regions that a run may use."""
    return [t for t in settings.targets if not (settings.no_fallback and t.is_fallback)]


def make_router(settings: Settings) -> Router:
    """Accounts for every usable region; those of one quota group share their quota."""
    quotas: dict[str, Quota] = {}
    regions = []
    for target in usable(settings):
        group = target.quota_group or f"\0{target.name}"
        if group not in quotas:
            quotas[group] = _quota(target)
        regions.append(
            Region(
                name=target.name,
                quota=quotas[group],
                adaptive=Adaptive(target.concurrency or settings.concurrency),
                priority=target.priority,
                is_fallback=target.is_fallback,
            )
        )
    return Router(regions, settings.strategy, settings.fallback_after)


def _quota(target: Target) -> Quota:
    return Quota(
        None if target.rpm is None else requests_per_minute(target.rpm),
        None if target.tpm is None else Limit(target.tpm, MINUTE),
    )
