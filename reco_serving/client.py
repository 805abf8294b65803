"""A typed client of the service: requests of ``contract.py``, answers of ``replies.py``, and clear errors.

>>> with Client("http://127.0.0.1:3000") as client:  # doctest: +SKIP
...     shown = client.recommend(RecommendRequest(user_id="u42", num_recommendations=5))
...     [one.product_id for one in shown.recommendations]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx
import msgspec
from msgspec import Struct

from reco_assets.errors import BadInput, Busy, MissingBundle, MissingDependency
from reco_assets.recommender.asked import RecommendRequest
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
    Refused,
    Related,
)

TIMEOUT_SECONDS: Final = 10.0

_Answer = TypeVar("_Answer", bound=Struct)


class Client:
    """Asks one service; its connections are kept open until it is closed.

    Every method raises

    - ``MissingDependency`` where no service answers, or something else does,
    - ``MissingBundle`` where it has no bundle yet (503),
    - ``Busy`` where more is asked of it than it can answer (429),
    - ``BadInput`` where it refuses the request, naming the field and the reason.

    Parameters
    ----------
    url
        Such as ``http://127.0.0.1:3000``.
    headers
        Sent with every request, such as ``X-Deadline-Ms``.
    """

    def __init__(
        self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS, headers: Mapping[str, str] | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(timeout=timeout_seconds, headers=dict(headers or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def recommend(self, asked: RecommendRequest) -> Recommended:
        """Products for a user."""
        return self._ask(Recommended, "/recommend", asked)

    def recommend_batch(self, asked: Sequence[RecommendRequest]) -> list[Recommended]:
        """Products for up to 100 requests, in their order."""
        return self._ask(RecommendedBatch, "/recommend/batch", BatchRequest(list(asked))).answers

    def similar(self, asked: SimilarRequest) -> Related:
        """Products that go with one product."""
        return self._ask(Related, "/similar", asked)

    def bought_together(self, asked: BoughtTogetherRequest) -> Listed:
        """What completes a cart."""
        return self._ask(Listed, "/bought-together", asked)

    def trending(self, asked: TrendingRequest) -> Related:
        """What is more wanted than usual."""
        return self._ask(Related, "/trending", asked)

    def buy_again(self, asked: BuyAgainRequest) -> Listed:
        """What a user has bought, those that are due first."""
        return self._ask(Listed, "/buy-again", asked)

    def recently_viewed(self, asked: RecentlyViewedRequest) -> Listed:
        """What a user has looked at, the newest first."""
        return self._ask(Listed, "/recently-viewed", asked)

    def rank(self, asked: RankRequest) -> Ranked:
        """A list in the order that fits a user."""
        return self._ask(Ranked, "/rank", asked)

    def explain(self, recommendation_id: str) -> Explained:
        """Why an answer was as it was."""
        return self._ask(Explained, f"/explain/{recommendation_id}")

    def collect(self, events: Sequence[Mapping[str, object]]) -> Collected:
        """Tell what visitors did; the events that break the contract are in the answer."""
        return self._ask(Collected, "/events", {"events": [dict(event) for event in events]})

    def health(self) -> Health:
        """What is loaded, and what is missing."""
        return self._ask(Health, "/health")

    def ready(self) -> Ready:
        """The bundle that answers; MissingBundle where there is none yet."""
        return self._ask(Ready, "/ready")

    def _ask(
        self, kind: type[_Answer], path: str, asked: Struct | Mapping[str, object] | None = None
    ) -> _Answer:
        url = f"{self._url}{path}"
        try:
            if asked is None:
                response = self._http.get(url)
            else:
                json = {"content-type": "application/json"}
                response = self._http.post(url, content=msgspec.json.encode(asked), headers=json)
            if response.is_success:
                return msgspec.json.decode(response.content, type=kind)
            fault = msgspec.json.decode(response.content, type=Refused).error
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
            raise MissingDependency(
                f"asking {url}: {error}", hint="start the service with `reco up` or `reco serve`"
            ) from error
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise MissingBundle(f"asking {url}: {fault.reason}", hint="run `reco materialize`")
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            after = float(response.headers.get("retry-after", 1.0))
            raise Busy(f"asking {url}: {fault.reason}", after)
        if response.status_code == httpx.codes.NOT_FOUND:
            raise BadInput(f"asking {url}: {fault.reason}", hint="ids are those of the imported events")
        if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise BadInput(f"asking {url}: the key {fault.reason}", hint="set RECO_KEY to a key that may ask")
        hint = "categories are those of the imported products" if fault.field == "category" else ""
        raise BadInput(f"asking {url}: {fault.field}: {fault.reason}", hint=hint)
