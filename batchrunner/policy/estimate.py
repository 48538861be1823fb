"""How many tokens a job will be charged, learned from what earlier ones were.

Azure charges at admission: an estimate of the prompt from its characters, plus the most that the
answer may use (Microsoft Learn, "Azure OpenAI quotas and limits"). Bytes per token and the length
of answers differ by model and language, so both are learned from ``usage``.
"""

from dataclasses import dataclass, field

from ..model import Job, Usage

BYTES_PER_TOKEN = 4.0  #: a fair start for English text
ANSWER = 256.0  #: tokens, for jobs that leave the length of the answer open
WEIGHT = 0.002  #: of one reply in the learned averages, when there were many
HEAD_START = 5  #: replies that the values to start with are worth


@dataclass(slots=True)
class _Averages:
    replies: int = 0
    bytes_per_token: float = BYTES_PER_TOKEN
    answer: float = ANSWER


@dataclass(slots=True)
class Estimate:
    """Averages for each model."""

    _models: dict[str, _Averages] = field(default_factory=dict)

    def tokens(self, job: Job) -> float:
        """What the job is expected to be charged: its prompt and the most it may answer."""
        averages = self._models.get(job.model) or _Averages()
        answer = averages.answer if job.answer_tokens is None else job.answer_tokens
        return len(job.body) / averages.bytes_per_token + answer

    def learn(self, job: Job, usage: Usage) -> None:
        """Take in what a reply says was used."""
        averages = self._models.setdefault(job.model, _Averages())
        averages.replies += 1
        weight = max(WEIGHT, 1 / (averages.replies + HEAD_START))
        if usage.prompt:
            seen = len(job.body) / usage.prompt
            averages.bytes_per_token += weight * (seen - averages.bytes_per_token)
        if usage.completion:
            averages.answer += weight * (usage.completion - averages.answer)
