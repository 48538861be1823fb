"""The regions of a run: settings -> the router's accounts, and a caller that uses them."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from .answers import Answers
from .caller import Caller
from .config import Settings
from .hedge import Hedge
from .policy.adaptive import CONFIGURED, START, Adaptive
from .policy.governor import Governor
from .policy.helm import Helm
from .policy.quota import Quota
from .policy.ratelimit import MINUTE, Limit, requests_per_minute
from .policy.region import Region
from .policy.retry import Retry
from .policy.router import Router
from .pool import RegionPool
from .prices import cost_usd, price
from .stats import RegionUsage, Stats
from .targets import OPENAI, Target


def usable(settings: Settings) -> list[Target]:
    """The regions that a run may use."""
    return [t for t in settings.targets if not (settings.no_fallback and t.is_fallback)]


def make_router(
    settings: Settings,
    before: Stats | None = None,
    spent: float = 0.0,
    *,
    is_paced: bool = True,
) -> Router:
    """Accounts for every usable region; those of one quota group share their quota.

    ``before`` is what earlier runs of the same output did, and ``spent`` what they may have paid
    for the fallback, in US dollars: bounds hold for all of them together.
    """
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
                adaptive=Adaptive(
                    target.concurrency or settings.concurrency,
                    CONFIGURED if target.rpm or target.tpm else START,
                ),
                priority=target.priority,
                is_fallback=target.is_fallback,
                is_capped=target.concurrency is not None,
            )
        )
    return Router(
        regions,
        settings.strategy,
        settings.fallback_after,
        is_paced,
        governor=_governor(settings, before or Stats(), spent),
    )


@asynccontextmanager
async def open_caller(
    settings: Settings, before: Stats | None = None, spent: float = 0.0
) -> AsyncIterator[Caller]:
    """A caller over all usable regions, with its connections; the rest as in ``make_router``."""
    from .sdk import entra_token  # the SDK takes a second, and only a run needs it
    from .wire import AiohttpTransport, Wire

    targets = {target.name: target for target in usable(settings)}
    tokens = {name: entra_token() for name, t in targets.items() if t.auth == "entra"}
    async with AiohttpTransport(proxy=settings.proxy_url, ca_file=settings.ca_file) as transport:
        wire = Wire(targets, transport, settings.timeout, tokens)
        jitter = Random()  # noqa: S311 - it spreads retries, it hides nothing
        retry = Retry(settings.max_attempts)
        pool = RegionPool(make_router(settings, before, spent), Helm(settings.concurrency))
        hedge = Hedge() if settings.hedge else None
        schema = settings.answer_schema
        yield Caller(
            pool,
            wire.send,
            retry,
            jitter,
            hedge=hedge,
            answers=None if schema is None else Answers(schema),
            max_reasks=settings.max_reasks,
        )


def _governor(settings: Settings, before: Stats, spent: float) -> Governor:
    taken = before.regions.get(OPENAI, RegionUsage())
    is_unbounded = settings.fallback_max_cost is None
    return Governor(
        max_share=settings.fallback_max_share,
        max_cost=math.inf if settings.fallback_max_cost is None else settings.fallback_max_cost,
        price=price,
        answers=before.answers,
        taken=taken.answers,
        spent=0.0 if is_unbounded else max(spent, cost_usd(taken, OPENAI) or 0.0),
    )


def _quota(target: Target) -> Quota:
    return Quota(
        None if target.rpm is None else requests_per_minute(target.rpm),
        None if target.tpm is None else Limit(target.tpm, MINUTE),
    )
