"""What a report is made of, from a run that has just ended."""

from ..ledger import Ledger
from ..summary import Summary
from .material import Known, Material


def gather(summary: Summary, ledger: Ledger) -> Material:
    """The material of a run and of those before it."""
    progress = summary.progress
    return Material(
        output=summary.output.name,
        total=progress.total,
        wall_s=round(summary.wall_s, 3),  # as in the checkpoint, so that both reports agree
        stats=progress.stats,
        costs=summary.cost_usd,
        stop=None if summary.stop is None else summary.stop.reason,
        prices=progress.prices,
        timeline=progress.timeline,
        caps=ledger.caps,
        answered_by=ledger.answered_by,
        concurrency=ledger.settings.concurrency,
        configured=summary.configured,
        known={r.name: Known(r.in_words, r.rpm, r.tpm) for r in progress.regions},
        warnings=summary.warnings,
        steered=summary.steered,
    )
