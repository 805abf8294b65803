"""What a client may ask, described once: the clients that wait and those that await ask the same."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from reco_assets.recommender.asked import Id, RecommendRequest
from reco_serving.contract import (
    BatchRequest,
    BoughtTogetherRequest,
    BuyAgainRequest,
    RankRequest,
    RecentlyViewedRequest,
    SimilarRequest,
    TrendingRequest,
)
from reco_serving.replies import (
    Collected,
    Explained,
    Health,
    Listed,
    Ranked,
    Ready,
    Recommended,
    RecommendedBatch,
    Related,
)

_Answer = TypeVar("_Answer")
_Typed = TypeVar("_Typed", bound=Struct)
_Given = ParamSpec("_Given")


@dataclass(frozen=True)
class Question(Generic[_Answer]):
    """One request, and how its answer is read; it is posted where it has a body."""

    path: str
    read: Callable[[bytes], _Answer]
    body: bytes | None = None


class Waits(Protocol):
    """A client that asks and has the answer."""

    def ask(self, question: Question[_Answer]) -> _Answer:
        """The answer; raises what the client says."""


class Awaits(Protocol):
    """A client whose answers are awaited."""

    async def ask(self, question: Question[_Answer]) -> _Answer:
        """The answer; raises what the client says."""


class Method(Generic[_Given, _Answer]):
    """A method of every client, made of one that makes the question."""

    def __init__(self, question: Callable[Concatenate[Any, _Given], Question[_Answer]]) -> None:
        self._question = question
        self.__doc__ = question.__doc__

    @overload
    def __get__(self, client: Waits, kind: type) -> Callable[_Given, _Answer]: ...

    @overload
    def __get__(self, client: Awaits, kind: type) -> Callable[_Given, Coroutine[Any, Any, _Answer]]: ...

    def __get__(
        self, client: Waits | Awaits, kind: type
    ) -> Callable[_Given, _Answer | Coroutine[Any, Any, _Answer]]:
        """The method of ``client``."""

        @wraps(self._question)
        def method(*given: _Given.args, **named: _Given.kwargs) -> _Answer | Coroutine[Any, Any, _Answer]:
            return client.ask(self._question(client, *given, **named))

        return method


class Questions:
    """The methods of every client.

    Each raises

    - ``MissingDependency`` where no service answers, something else does, or it cannot keep events,
    - ``MissingBundle`` where it has no bundle yet (503),
    - ``Busy`` where more is asked of it than it can answer (429),
    - ``BadInput`` where it refuses the request, naming the field and the reason.
    """

    @Method
    def recommend(self, asked: RecommendRequest) -> Question[Recommended]:
        """Products for a user."""
        return _posted("/recommend", asked, Recommended)

    @Method
    def recommend_batch(self, asked: Sequence[RecommendRequest]) -> Question[list[Recommended]]:
        """Products for up to 100 requests, in their order."""
        body = msgspec.json.encode(BatchRequest(list(asked)))
        return Question("/recommend/batch", _answers, body)

    @Method
    def similar(self, asked: SimilarRequest) -> Question[Related]:
        """Products that go with one product."""
        return _posted("/similar", asked, Related)

    @Method
    def bought_together(self, asked: BoughtTogetherRequest) -> Question[Listed]:
        """What completes a cart."""
        return _posted("/bought-together", asked, Listed)

    @Method
    def trending(self, asked: TrendingRequest) -> Question[Related]:
        """What is more wanted than usual."""
        return _posted("/trending", asked, Related)

    @Method
    def buy_again(self, asked: BuyAgainRequest) -> Question[Listed]:
        """What a user has bought, those that are due first."""
        return _posted("/buy-again", asked, Listed)

    @Method
    def recently_viewed(self, asked: RecentlyViewedRequest) -> Question[Listed]:
        """What a user has looked at, the newest first."""
        return _posted("/recently-viewed", asked, Listed)

    @Method
    def rank(self, asked: RankRequest) -> Question[Ranked]:
        """A list in the order that fits a user."""
        return _posted("/rank", asked, Ranked)

    @Method
    def explain(self, recommendation_id: str) -> Question[Explained]:
        """Why an answer was as it was."""
        return Question(f"/explain/{quote(recommendation_id, safe='')}", _reads(Explained))

    @Method
    def collect(self, events: Sequence[Mapping[str, object]]) -> Question[Collected]:
        """Tell what visitors did; the events that break the contract are in the answer."""
        body = msgspec.json.encode({"events": [dict(event) for event in events]})
        return Question("/events", _reads(Collected), body)

    @Method
    def health(self) -> Question[Health]:
        """What is loaded, and what is missing."""
        return Question("/health", _reads(Health))

    @Method
    def ready(self) -> Question[Ready]:
        """The bundle that answers; MissingBundle where there is none yet."""
        return Question("/ready", _reads(Ready))

    @Method
    def experiments(self) -> Question[str]:
        """The experiments and their results, as a page of HTML."""
        return Question("/experiments", bytes.decode)

    @Method
    def metrics(self) -> Question[str]:
        """Prometheus metrics, in the text format."""
        return Question("/metrics", bytes.decode)


def stream_path(session_id: Id, user_id: Id | None, num_recommendations: int) -> str:
    """Where the lists of a session are told."""
    asked = {
        "user_id": session_id if user_id is None else user_id,
        "num_recommendations": num_recommendations,
    }
    return f"/stream/{quote(str(session_id), safe='')}?{urlencode(asked)}"


def _posted(path: str, asked: Struct, kind: type[_Typed]) -> Question[_Typed]:
    return Question(path, _reads(kind), msgspec.json.encode(asked))


def _reads(kind: type[_Typed]) -> Callable[[bytes], _Typed]:
    return partial(msgspec.json.decode, type=kind)


def _answers(content: bytes) -> list[Recommended]:
    return msgspec.json.decode(content, type=RecommendedBatch).answers
