"""GET and POST /explain/{recommendation_id}: finding the record of an answer, and what can make it again."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from reco_assets.errors import BadInput, BadRequest, MissingDependency
from reco_assets.events.decided import Decided
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.stream import StreamUnavailable
from reco_assets.recommender.policy.kept import rules_of
from reco_serving.drained import in_lake
from reco_serving.endpoints import Parts
from reco_serving.explained import explained
from reco_serving.http import Refusal
from reco_serving.loaded import Loaded
from reco_serving.recent import in_stream
from reco_serving.replies import Explained
from reco_serving.tracing import Part, Trace

PATH: Final = "/explain/{recommendation_id}"
_FIELD: Final = "recommendation_id"


async def explain(
    parts: Parts, settings: Settings, recommendation_id: str, trace: Trace | None = None
) -> Explained:
    """Why that answer was as it was; in a thread, so that no visitor waits for it.

    ``trace`` hears of both parts of the work.

    Raises
    ------
    Refusal
        404: its record cannot be found, or its bundle or its policy is not here any more; the reason says
        which, and whether the stream or the lake could not be asked.
    """
    begun = time.perf_counter()
    decided = parts.decisions.recent.get(recommendation_id)
    if decided is None:
        # one at a time: whoever asks for what is nowhere must not have processes started without end
        async with parts.looking_up:
            decided = await asyncio.to_thread(_looked_up, parts, settings, recommendation_id)
    found_at = time.perf_counter()
    loaded = _loaded(parts, decided)
    told = await asyncio.to_thread(_explained, decided, loaded, settings)
    if trace is not None:
        made = Part("make the answer again", found_at, time.perf_counter())
        trace.parts += [Part("find the record", begun, found_at), made]
    return told


def _looked_up(parts: Parts, settings: Settings, recommendation_id: str) -> Decided:
    """The decision out of the stream, and where it is there no more, out of the lake."""
    said = [f"there is no decision {recommendation_id!r} any more in this worker"]
    try:
        decided = in_stream(parts.decisions.stream, recommendation_id)
        said.append("the stream has none")
    except StreamUnavailable as error:
        decided = None
        said.append(f"the stream cannot be read: {error}")
    if decided is None:
        try:
            decided = in_lake(settings, recommendation_id)
            said.append("raw/decisions of the lake has none")
        except MissingDependency as error:
            said.append(f"the lake cannot be read: {error}")
    if decided is None:
        raise Refusal(404, _FIELD, "; ".join(said))
    return decided


def _loaded(parts: Parts, decided: Decided) -> Loaded:
    for loaded in (parts.current.loaded, *parts.variants.opened):
        if loaded is not None and loaded.bundle.version == decided.bundle:
            return loaded
    raise Refusal(
        404, _FIELD, f"it was made by bundle {decided.bundle}, which this worker does not serve any more"
    )


def _explained(decided: Decided, loaded: Loaded, settings: Settings) -> Explained:
    rules = loaded.rules
    try:
        if rules.digest != decided.policy:
            rules = rules_of(settings.policies_folder, decided.policy, loaded.bundle)
        return explained(decided, loaded, rules)
    except (BadInput, BadRequest) as error:
        raise Refusal(404, _FIELD, f"it cannot be made again: {error}") from error
