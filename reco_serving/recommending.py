"""POST /recommend and POST /recommend/batch: from a decoded request to an answer and its record."""

from __future__ import annotations

import logging
import os
import random
import time
from dataclasses import dataclass, replace
from typing import Final

from reco_assets.errors import BadRequest
from reco_assets.events.decided import VERSION, Decided
from reco_assets.recommender.asked import RecommendRequest
from reco_assets.recommender.types import Decision, Request
from reco_serving.answers import decide, products, understood
from reco_serving.calls import Call
from reco_serving.choices import Choice
from reco_serving.contract import BatchRequest, read
from reco_serving.endpoints import Parts
from reco_serving.evidence import SEED_BITS, Watched
from reco_serving.http import encode
from reco_serving.logs import RECOMMENDATION
from reco_serving.rehearsal import Case
from reco_serving.replies import Recommended, RecommendedBatch
from reco_serving.stages import Stages
from reco_serving.state import Asker, Packed, unpack
from reco_serving.tracing import DATABASE, Part

#: Bytes of chance in an id, behind 14 hexadecimal digits of the moment.
_CHANCE: Final = 5

#: What a log line and a span say of an answer.
Facts = dict[str, str | bool | int | float]

log = logging.getLogger("reco.answers")


@dataclass(frozen=True, slots=True)
class Question:
    """A request that was understood, and by what it is to be answered."""

    asked: RecommendRequest
    body: bytes
    choice: Choice
    request: Request
    watched: Watched | None

    @property
    def asker(self) -> Asker:
        """Whose values are needed."""
        asked = self.asked
        return Asker(str(asked.user_id), str(asked.session_id) if asked.session_id is not None else None)


@dataclass(frozen=True, slots=True)
class Made:
    """An answer with its record; ``best`` is the rung that was tried first, moments are of perf_counter."""

    question: Question
    packed: Packed
    recommended: Recommended
    decided: Decided
    decision: Decision
    best: str
    turn_at: float
    decided_at: float


def question_of(parts: Parts, asked: RecommendRequest, body: bytes) -> Question:
    """Find what answers ``asked``; raises BadRequest with the field that cannot be understood."""
    choice = parts.variants.of(str(asked.user_id), parts.loaded())
    seed = random.getrandbits(SEED_BITS)
    request = understood(asked, choice.loaded, seed)
    return Question(asked, body, choice, request, Watched() if seed < parts.evidence_below else None)


def made(parts: Parts, question: Question, packed: Packed, call: Call, turn_at: float) -> Made:
    """The answer to ``question``, whose turn it is since ``turn_at``."""
    choice, watched = question.choice, question.watched
    loaded = choice.loaded
    rules = loaded.rules
    best = parts.rung(loaded, call, turn_at)
    now_us = time.time_ns() // 1000
    recommendation_id = f"{now_us:014x}{os.urandom(_CHANCE).hex()}"
    RECOMMENDATION.set(recommendation_id)
    state, whole = unpack(packed, loaded.bundle.items)
    with loaded.feed.steady:
        told = rules.now()
        policy = told.policy.changed(choice.changes) if choice.changes else told.policy
        decision, degraded = decide(
            question.request, state, whole, loaded.bundle, told, now_us, watched, policy, best
        )
        product_epoch, products_at = loaded.feed.epoch, loaded.feed.at
    decided_at = time.perf_counter()
    shown = products(decision.recommendations, loaded)
    recommended = Recommended(
        user_id=question.asked.user_id,
        recommendations=shown,
        model_version=loaded.bundle.version,
        latency_ms=round((time.perf_counter() - call.started) * 1e3, 3),
        recommendation_id=recommendation_id,
        variant=choice.variant,
        degraded=degraded,
        rung=decision.rung,
        shortfall=decision.shortfall,
    )
    decided = Decided(
        recommendation_id=recommended.recommendation_id,
        request=question.body,
        user_state=packed.user,
        pending_state=packed.pending,
        session_state=packed.session,
        habits_state=packed.habits,
        reached=packed.reached,
        bundle=loaded.bundle.version,
        product_epoch=product_epoch,
        now_us=now_us,
        seed=question.request.seed,
        rung=decision.rung,
        variant=choice.variant,
        products=[one.product_id for one in shown],
        scores=[one.score for one in decision.recommendations],
        sources=[one.source for one in shown],
        evidence=watched.evidence(packed.mark, products_at) if watched is not None else None,
        propensities=[one.propensity for one in decision.recommendations],
        policy=rules.digest,
        exposures=list(choice.exposures),
        policy_changes=dict(choice.changes),
        degraded=degraded,
        latency_ms=recommended.latency_ms,
        version=VERSION,
    )
    return Made(question, packed, recommended, decided, decision, best, turn_at, decided_at)


def noted(parts: Parts, done: Made, call: Call, read_at: float | None, at: float) -> None:
    """Keep the record of an answer that was ready ``at``, and count it.

    ``read_at`` is when its state was read; None where that was before it began, for several at once.
    """
    choice, decided = done.question.choice, done.decided
    parts.decisions.add(decided, call.trace.context if call.trace is not None else None)
    parts.current.recorded.append(Case(done.question.body, done.packed))
    choice.loaded.costs[done.best].observe(at - done.turn_at, at)
    for exposure in choice.exposures:
        parts.metrics.variants.labels(exposure.experiment, exposure.variant).inc()
    stages = Stages(call.started, done.turn_at, done.decided_at, at, read_at, done.packed.reached)
    stages.tell(parts.metrics.answered, call, decided.rung)
    parts.metrics.answered.made_of(done.decision)
    if call.trace is not None or log.isEnabledFor(logging.INFO):
        facts: Facts = {
            "recommendation_id": decided.recommendation_id,
            "rung": decided.rung,
            "degraded": decided.degraded,
            "variant": decided.variant,
            "bundle": decided.bundle,
            "candidates": done.decision.candidates,
            "latency_ms": decided.latency_ms,
        }
        _told(facts, call)


def _told(facts: Facts, call: Call) -> None:
    """Tell the log and the trace of an answer, where there are any."""
    if call.trace is not None:
        call.trace.span.set_attributes({f"reco.{name}": value for name, value in facts.items()})
        facts = {**facts, "trace_id": f"{call.trace.context.trace_id:032x}"}
    log.info("answered", extra={"fields": facts})


async def recommended(parts: Parts, asked: RecommendRequest, body: bytes, call: Call) -> Made:
    """Answer ``asked``, whose JSON is ``body``: read its state, wait for its turn, decide, note."""
    question = question_of(parts, asked, body)
    asker = question.asker
    with parts.gate.admitted(call):
        left = call.deadline - time.perf_counter()
        packed = await parts.states.read(asker.user_id, asker.session_id, question.watched is not None, left)
        read_at = time.perf_counter()
        turn_at = await parts.gate.turn(call)
        try:
            done = made(parts, question, packed, call, turn_at)
        finally:
            parts.gate.release()
    noted(parts, done, call, read_at, time.perf_counter())
    return done


async def answer_recommend(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /recommend."""
    done = await recommended(parts, read(RecommendRequest, body), body, call)
    return encode(done.recommended)


async def answer_batch(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /recommend/batch: the state of all in one round trip, then one answer at a time.

    Each of the requests has the whole deadline from its own turn on, and between two of them whoever
    else waits has theirs: a batch is no reason for visitors to get worse answers.
    """
    batch = read(BatchRequest, body).requests
    questions = []
    for number, asked in enumerate(batch):
        try:
            questions.append(question_of(parts, asked, encode(asked)))
        except BadRequest as error:
            raise BadRequest(f"requests[{number}].{error.field}", error.reason) from error
    answers: list[Made] = []
    with parts.gate.admitted(call):
        left = call.deadline - time.perf_counter()
        watched = any(question.watched is not None for question in questions)
        begun = time.perf_counter()
        everybody = await parts.states.read_all([one.asker for one in questions], watched, left)
        if call.trace is not None:
            told = {DATABASE: "redis"} if everybody[0].reached else {}
            call.trace.parts.append(Part("state", begun, time.perf_counter(), told))
        for question, packed in zip(questions, everybody, strict=True):
            begun = time.perf_counter()
            own = replace(call, started=begun, deadline=begun + call.allowed)
            turn_at = await parts.gate.turn(own)
            try:
                done = made(parts, question, packed, own, turn_at)
            finally:
                parts.gate.release()
            answers.append(done)
            noted(parts, done, own, None, time.perf_counter())
    return encode(RecommendedBatch([one.recommended for one in answers]))
