"""The regions of a run: settings -> the router's accounts, and a caller that uses them."""

import math
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from .answers import Answers
from .caller import Caller
from .config import Settings
from .errors import ConfigError
from .hedge import Hedge
from .model import Usage
from .policy.account import Account
from .policy.adaptive import CONFIGURED, START, Adaptive
from .policy.budget import Budget
from .policy.governor import Governor
from .policy.helm import Helm
from .policy.quota import Quota
from .policy.ratelimit import MINUTE, Limit, requests_per_minute
from .policy.region import Region
from .policy.retry import Retry
from .policy.router import Router
from .pool import RegionPool
from .prices import PriceList
from .spending import Unanswered
from .stats import RegionUsage, Stats
from .targets import OPENAI, Target
from .telemetry.export import Observe

NOTHING = Unanswered()

if TYPE_CHECKING:
    from .wire import Wire


def usable(settings: Settings) -> list[Target]:
    """The regions that a run may use."""
    return [t for t in settings.targets if not (settings.no_fallback and t.is_fallback)]


def require_prices(settings: Settings, models: Iterable[str]) -> None:
    """ConfigError where the cost is bounded, and a region has no known price of a model."""
    if settings.max_cost is None:
        return
    prices = PriceList.of(settings.targets)
    for model in models:
        for target in usable(settings):
            if prices.answer(target.name, model, Usage(model, 1, 1)) is None:
                variable = "OPENAI_PRICE" if target.is_fallback else "AZURE_OPENAI_PRICE_n"
                raise ConfigError(
                    f"--max-cost: no price of {model!r} is known for {target.name}: set "
                    f"{variable} to US dollars per million tokens, such as 2.5/10"
                )


def make_router(
    settings: Settings,
    before: Stats | None = None,
    spent: float = 0.0,
    unanswered: Unanswered = NOTHING,
    *,
    is_paced: bool = True,
) -> Router:
    """Accounts for every usable region; those of one quota group share their quota.

    ``before`` is what earlier runs of the same output did, ``spent`` what they may have paid for
    the fallback, in US dollars, and ``unanswered`` what may have been billed without a result:
    bounds hold for all of them together.
    """
    return Router(
        list(_regions(settings)),
        settings.strategy,
        settings.fallback_after,
        is_paced,
        governor=_governor(settings, before or Stats(), spent),
        budget=_budget(settings, before or Stats(), unanswered),
    )


def _regions(settings: Settings) -> Iterator[Region]:
    quotas: dict[str, Quota] = {}
    for target in usable(settings):
        group = target.quota_group or f"\0{target.name}"
        if group not in quotas:
            quotas[group] = _quota(target)
        is_named = target.rpm or target.tpm
        yield Region(
            name=target.name,
            quota=quotas[group],
            adaptive=Adaptive(
                target.concurrency or settings.concurrency, CONFIGURED if is_named else START
            ),
            priority=target.priority,
            is_fallback=target.is_fallback,
            is_capped=target.concurrency is not None,
        )


@asynccontextmanager
async def open_wire(settings: Settings) -> "AsyncIterator[Wire]":
    """What sends requests to all usable regions, with its connections."""
    from .sdk import entra_token  # the SDK takes a second, and only what sends needs it
    from .transport import AiohttpTransport
    from .wire import Wire

    targets = {target.name: target for target in usable(settings)}
    tokens = {name: entra_token() for name, t in targets.items() if t.auth == "entra"}
    async with AiohttpTransport(proxy=settings.proxy_url, ca_file=settings.ca_file) as transport:
        yield Wire(targets, transport, settings.timeout, tokens)


@asynccontextmanager
async def open_caller(
    settings: Settings,
    before: Stats | None = None,
    spent: float = 0.0,
    unanswered: Unanswered = NOTHING,
    observe: Observe = lambda send, _: send,
) -> AsyncIterator[Caller]:
    """A caller over all usable regions, with its connections; the rest as in ``make_router``.

    Its requests go through what ``observe`` makes of the ``Send`` that posts them.
    """
    async with open_wire(settings) as wire:
        jitter = Random()  # noqa: S311 - it spreads retries, it hides nothing
        retry = Retry(settings.max_attempts)
        router = make_router(settings, before, spent, unanswered)
        pool = RegionPool(router, Helm(settings.concurrency))
        hedge = Hedge() if settings.hedge else None
        schema = settings.answer_schema
        yield Caller(
            pool,
            observe(wire.send, {target.name: target for target in usable(settings)}),
            retry,
            jitter,
            hedge=hedge,
            answers=None if schema is None else Answers(schema),
            max_reasks=settings.max_reasks,
        )


def _governor(settings: Settings, before: Stats, spent: float) -> Governor:
    taken = before.regions.get(OPENAI, RegionUsage())
    prices = PriceList.of(settings.targets)
    money = Account()
    if settings.fallback_max_cost is not None:
        money = Account(settings.fallback_max_cost, max(spent, prices.known({OPENAI: taken})))
    return Governor(
        max_share=settings.fallback_max_share,
        money=money,
        price=partial(prices.answer, OPENAI),
        answers=before.answers,
        taken=taken.answers,
    )


def _budget(settings: Settings, before: Stats, unanswered: Unanswered) -> Budget | None:
    if settings.max_cost is None and settings.max_tokens_total is None:
        return None
    prices = PriceList.of(settings.targets)
    usd, tokens = unanswered.total(before, prices)
    return Budget(
        price=prices.answer,
        money=Account(math.inf if settings.max_cost is None else settings.max_cost, usd),
        tokens=Account(settings.max_tokens_total or math.inf, tokens),
    )


def _quota(target: Target) -> Quota:
    return Quota(
        None if target.rpm is None else requests_per_minute(target.rpm),
        None if target.tpm is None else Limit(target.tpm, MINUTE),
    )
