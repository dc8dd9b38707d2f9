"""Browse in pages: what a client did not want at once waits under a continuation point of its session, and of few at a time."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from asyncua import ua

MOST: Final = 10  # continuation points of one session
_S: Final = ua.StatusCodes


@dataclass(slots=True)
class Pages:
    """The rest of one session's answers, by continuation point."""

    _rest: dict[bytes, tuple[list[ua.ReferenceDescription], int]] = field(default_factory=dict)

    def page(self, result: ua.BrowseResult, most: int) -> ua.BrowseResult:
        """Return ``result`` with at most ``most`` references (0: as many as there are) and a point for the rest."""
        references = result.References or []
        if most <= 0 or len(references) <= most:
            return result
        if len(self._rest) >= MOST:
            return ua.BrowseResult(StatusCode=ua.StatusCode(_S.BadNoContinuationPoints))
        point = secrets.token_bytes(16)
        self._rest[point] = references[most:], most
        result.References, result.ContinuationPoint = references[:most], point
        return result

    def after(self, point: bytes, release: bool) -> ua.BrowseResult:
        """Return the next page, nothing when the point is only released."""
        references, most = self._rest.pop(bytes(point or b""), (None, 0))
        if references is None:
            return ua.BrowseResult(StatusCode=ua.StatusCode(_S.BadContinuationPointInvalid))
        return ua.BrowseResult() if release else self.page(ua.BrowseResult(References=references), most)
