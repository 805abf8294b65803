"""Watching the policy file: a changed one is checked first, and a bad one changes nothing."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from reco_assets.errors import BadInput, RecoError
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.kept import keep, last_kept
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request

log = logging.getLogger("reco.policy")

#: When a file was written, its size and its place on the disk: it changes with the file.
_Stamp = tuple[int, int, int] | None


@dataclass
class PolicyWatch:
    """Holds the text of the policy that is served, and brings the next one.

    Attributes
    ----------
    text
        What is in force; empty where the bundle's own rules are, None before there is a bundle.
    fault
        Why the file is not what is served, where it is not.
    unkept
        Why what is served was not kept for replays, where it was not; it is tried again.
    """

    settings: Settings
    text: bytes | None = None
    fault: str | None = None
    unkept: str | None = None
    _seen: tuple[_Stamp, str] | None = field(default=None, repr=False)

    @property
    def trouble(self) -> str | None:
        """What is wrong, for /health."""
        return self.fault or self.unkept

    def rules_of(self, bundle: Bundle) -> Rules:
        """The rules for a bundle that is being loaded.

        At the first, where the file cannot be used, the policy that was served last is, else the bundle's
        own. Raises BadInput where the policy in force cannot be used with a later ``bundle``: rules are
        not dropped because a column is gone.
        """
        if self.text is not None:
            return _read(self.text, bundle, "in force")
        rules = self.look(bundle)
        if rules is None:
            rules = self._last(bundle)
            self.text = rules.text
        return rules

    def over(self, bundle: Bundle) -> Rules:
        """What is in force, for one more ``bundle``; raises BadInput where it cannot be used with it."""
        return _read(self.text or b"", bundle, "in force")

    def look(self, bundle: Bundle) -> Rules | None:
        """The rules of the file where it says something else than what is in force; None where not."""
        if self.unkept is not None and self.text is not None:
            self._keep(self.text)
        seen = (self._stamp(), bundle.version)
        if seen == self._seen:
            return None
        self._seen = seen
        try:
            text = self._content()
            if text == self.text:
                self.fault = None
                return None
            rules = _read(text, bundle, str(self.settings.policy_file))
        except Exception as error:
            # a policy that a defect keeps from answering is refused like one that is written wrong
            self.fault = f"{error or type(error).__name__}; what held before goes on"
            expected = isinstance(error, RecoError | OSError)
            log.warning("the policy file cannot be used: %s", error, exc_info=not expected)
            return None
        self.text, self.fault = text, None
        log.info("policy %s holds", rules.digest or "of the bundle")
        self._keep(text)
        return rules

    def _keep(self, text: bytes) -> None:
        try:
            keep(self.settings.policies_folder, text)
        except OSError as error:
            # it is served all the same: what it forbids must not be shown
            self.unkept = f"it holds, but was not kept for replays: {error}"
        else:
            self.unkept = None

    def _last(self, bundle: Bundle) -> Rules:
        try:
            text = last_kept(self.settings.policies_folder)
            return Rules(bundle) if text is None else _read(text, bundle, "served last")
        except (RecoError, OSError) as error:
            self.fault = f"{self.fault}; nor can the one that was served last: {error}"
            log.warning("the policy that was served last cannot be used: %s", error)
            return Rules(bundle)

    def _stamp(self) -> _Stamp:
        try:
            status = self.settings.policy_file.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _content(self) -> bytes:
        try:
            return self.settings.policy_file.read_bytes()
        except FileNotFoundError as error:
            if self.settings.policy is None:
                return b""
            raise BadInput(
                f"reading policy {self.settings.policy_file}: there is no such file",
                hint="write it, or unset RECO_POLICY",
            ) from error


def _read(text: bytes, bundle: Bundle, name: str) -> Rules:
    """The rules that ``text`` says, which have answered once."""
    rules = Rules.read(text, bundle, name) if text else Rules(bundle)
    told = rules.now()
    recommend(Request(), empty_state(), bundle, told.policy, bundle.manifest.as_of, rules=told)
    return rules
