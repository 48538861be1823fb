"""What a report is made of, from a run that has just ended."""

from ..ledger import Ledger
from ..summary import Summary
from .material import Known, Material


def gather(summary: Summary, ledger: Ledger) -> Material:
    """The material of a run and of those before it."""
    progress = summary.progress
    return Material.of(
        summary,
        timeline=progress.timeline,
        caps=ledger.caps,
        answered_by=ledger.answered_by,
        concurrency=ledger.settings.concurrency,
        known={r.name: Known(r.in_words, r.rpm, r.tpm) for r in progress.regions},
        warnings=summary.warnings,
    )
