"""Typed clients of the service: requests of ``contract.py``, answers of ``replies.py``, and clear errors.

>>> with Client("http://127.0.0.1:3000") as client:  # doctest: +SKIP
...     shown = client.recommend(RecommendRequest(user_id="u42", num_recommendations=5))
...     [one.product_id for one in shown.recommendations]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import httpx

from reco_assets.platform.settings import Settings
from reco_assets.recommender.asked import Id
from reco_serving.client_answers import listed, reaching, refusal
from reco_serving.client_questions import Question, Questions, stream_path
from reco_serving.replies import Recommended

TIMEOUT_SECONDS: Final = 10.0
#: A stream that has said nothing for so long is gone: a silent one says that it is there every 15 s.
SILENT_SECONDS: Final = 45.0

_Answer = TypeVar("_Answer")
_Http = TypeVar("_Http", httpx.Client, httpx.AsyncClient)


class _Asking(Questions, ABC, Generic[_Http]):
    """Where is asked, and what every request says.

    Parameters
    ----------
    url
        Such as ``http://127.0.0.1:3000``.
    key
        The API key, where the service asks for one.
    headers
        Sent with every request, such as ``X-Deadline-Ms``.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._silence = httpx.Timeout(timeout_seconds, read=SILENT_SECONDS)
        told = {**(headers or {}), **({} if key is None else {"X-Api-Key": key})}
        self._http: _Http = self._connections(timeout_seconds, told)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A client of the service that ``settings`` mean, with the key that they hold."""
        key = None if settings.key is None else settings.key.get_secret_value()
        return cls(f"http://{settings.service_host}:{settings.service_port}", key=key)

    @abstractmethod
    def _connections(self, timeout_seconds: float, headers: Mapping[str, str]) -> _Http:
        """What keeps connections open."""

    def _request(self, url: str, body: bytes | None) -> httpx.Request:
        if body is None:
            return self._http.build_request("GET", url)
        json = {"content-type": "application/json"}
        return self._http.build_request("POST", url, content=body, headers=json)

    def _opening(self, url: str) -> httpx.Request:
        return self._http.build_request("GET", url, timeout=self._silence)


class Client(_Asking[httpx.Client]):
    """Asks one service and waits for its answers; its connections are kept open until it is closed."""

    def _connections(self, timeout_seconds: float, headers: Mapping[str, str]) -> httpx.Client:
        return httpx.Client(timeout=timeout_seconds, headers=headers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def ask(self, question: Question[_Answer]) -> _Answer:
        """The answer to any question."""
        url = f"{self._url}{question.path}"
        with reaching(url):
            response = self._http.send(self._request(url, question.body))
            if not response.is_success:
                raise refusal(url, response)
            return question.read(response.content)

    @contextmanager
    def stream(
        self, session_id: Id, user_id: Id | None = None, num_recommendations: int = 10
    ) -> Iterator[Iterator[Recommended]]:
        """The lists of a session, one at once and one after each of its events, while the block lasts.

        They end where the worker that sends them does: ask again for more.
        """
        url = f"{self._url}{stream_path(session_id, user_id, num_recommendations)}"
        with reaching(url):
            response = self._http.send(self._opening(url), stream=True)
        with closing(response), closing(_lists(url, response)) as lists:
            if not response.is_success:
                with reaching(url):
                    response.read()
                    raise refusal(url, response)
            yield lists


class AsyncClient(_Asking[httpx.AsyncClient]):
    """The same for an event loop: the answers of its methods are awaited, and so is its end."""

    def _connections(self, timeout_seconds: float, headers: Mapping[str, str]) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=timeout_seconds, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def ask(self, question: Question[_Answer]) -> _Answer:
        """The answer to any question."""
        url = f"{self._url}{question.path}"
        with reaching(url):
            response = await self._http.send(self._request(url, question.body))
            if not response.is_success:
                raise refusal(url, response)
            return question.read(response.content)

    @asynccontextmanager
    async def stream(
        self, session_id: Id, user_id: Id | None = None, num_recommendations: int = 10
    ) -> AsyncIterator[AsyncIterator[Recommended]]:
        """As :meth:`Client.stream`, for ``async with`` and ``async for``."""
        url = f"{self._url}{stream_path(session_id, user_id, num_recommendations)}"
        with reaching(url):
            response = await self._http.send(self._opening(url), stream=True)
        async with aclosing(response), aclosing(_lists_later(url, response)) as lists:
            if not response.is_success:
                with reaching(url):
                    await response.aread()
                    raise refusal(url, response)
            yield lists


def _lists(url: str, response: httpx.Response) -> Generator[Recommended, None, None]:
    with reaching(url):
        for line in response.iter_lines():
            if (one := listed(line)) is not None:
                yield one


async def _lists_later(url: str, response: httpx.Response) -> AsyncGenerator[Recommended, None]:
    with reaching(url):
        async for line in response.aiter_lines():
            if (one := listed(line)) is not None:
                yield one
