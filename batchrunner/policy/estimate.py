"""How many tokens a job will be charged, learned from what earlier ones were.

Azure charges at admission: an estimate of the prompt from its characters, plus the most that the
answer may use (Microsoft Learn, "Azure OpenAI quotas and limits"). How many tokens a byte is
worth differs by model and language, and a part of each body is JSON and no prompt. So for each
model a line through size and tokens is fitted to ``usage``, by least squares that forget:

    prompt = mean_tokens + slope * (size - mean_size)

with the slope held near a quarter of a token for each byte until the sizes differ enough to tell.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..model import Job, Usage

BYTES_PER_TOKEN = 4.0  #: a fair start for English text
ANSWER = 256.0  #: tokens, for jobs that leave the length of the answer open
MANY = 500  #: replies that the learned averages are made of, when there were as many
WEIGHT = 1 / MANY  #: of one of them
HEAD_START = 5  #: replies that the values to start with are worth
STIFFNESS = 100.0  #: square bytes of variance that the slope to start with is worth


@dataclass(slots=True)
class _Line:
    """Tokens of a prompt by its size."""

    _size: float = 0.0
    _tokens: float = 0.0
    _variance: float = 0.0
    _covariance: float = 0.0
    _slope: float = 1 / BYTES_PER_TOKEN

    def at(self, size: float) -> float:
        """The tokens that a prompt of ``size`` is expected to have."""
        tokens = self._tokens + self._slope * (size - self._size)
        return tokens if tokens > 0 else 0.0

    def learn(self, size: float, tokens: float, weight: float) -> None:
        """Take in one prompt."""
        off_size, off_tokens = size - self._size, tokens - self._tokens
        step, kept = weight * off_size, 1 - weight
        self._size += step
        self._tokens += weight * off_tokens
        self._variance = kept * (self._variance + step * off_size)
        self._covariance = kept * (self._covariance + step * off_tokens)
        stiff = self._covariance + STIFFNESS / BYTES_PER_TOKEN
        self._slope = stiff / (self._variance + STIFFNESS)


@dataclass(slots=True)
class _Model:
    replies: int = 0
    prompt: _Line = field(default_factory=_Line)
    answer: float = ANSWER

    def charge(self, job: Job) -> float:
        """What a job is expected to be charged."""
        answer = self.answer if job.answer_tokens is None else job.answer_tokens
        return self.prompt.at(_size(job)) + answer


@dataclass(slots=True)
class Estimate:
    """What is known of each model."""

    _models: defaultdict[str, _Model] = field(default_factory=lambda: defaultdict(_Model))

    def tokens(self, job: Job) -> float:
        """What the job is expected to be charged: its prompt and the most it may answer."""
        return self._models[job.model].charge(job)

    def smallest(self, jobs: Sequence[Job]) -> int:
        """Which of ``jobs``, all of one model, is expected to be charged least."""
        model = self._models[jobs[0].model]
        charges = list(map(model.charge, jobs))
        return charges.index(min(charges))

    def usage(self, job: Job) -> Usage:
        """What an answer of ``job`` is expected to use at most."""
        model = self._models[job.model]
        answer = model.answer if job.answer_tokens is None else job.answer_tokens
        return Usage(job.model, math.ceil(model.prompt.at(_size(job))), math.ceil(answer))

    def learn(self, job: Job, usage: Usage) -> None:
        """Take in what a reply says was used."""
        model = self._models[job.model]
        model.replies += 1
        worth = model.replies + HEAD_START
        weight = 1 / worth if worth < MANY else WEIGHT
        if usage.prompt:
            model.prompt.learn(_size(job), usage.prompt, weight)
        if usage.completion:
            model.answer += weight * (usage.completion - model.answer)


def _size(job: Job) -> float:
    """The bytes of a body; where its tokens were counted, as many as those stand for."""
    if job.prompt_tokens is None:
        return len(job.body)
    return job.prompt_tokens * BYTES_PER_TOKEN
