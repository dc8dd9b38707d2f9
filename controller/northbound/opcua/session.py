"""Sessions that know who speaks: every service is checked for the person's role, per node and per method, before the library sees it."""

from typing import NoReturn

from asyncua import ua
from asyncua.common.utils import ServiceError

from controller.northbound.opcua import access, ranges
from controller.northbound.opcua.bounds import DENIED, MOST_HISTORY, bounded, names, plain
from controller.northbound.opcua.subscribing import SubscribingSession


class GuardedSession(SubscribingSession):
    """One session with all services."""

    async def read(self, params: ua.ReadParameters) -> list[ua.DataValue]:
        """Read what the person may see; the rest is BadUserAccessDenied."""
        wanted = bounded(params.NodesToRead)
        if not params.MaxAge >= 0:
            raise ServiceError(ua.StatusCodes.BadMaxAgeInvalid)
        seen = [self.sees(value.NodeId) for value in wanted]
        params.NodesToRead = [value for value, may in zip(wanted, seen, strict=True) if may]
        found = iter(self.server.attribute_service.read(params))
        results = [next(found) if may else ua.DataValue(StatusCode=DENIED) for may in seen]
        if not all(seen):
            self.denied("Read " + names(value.NodeId for value, may in zip(wanted, seen, strict=True) if not may))
        for index, value in enumerate(wanted):
            if seen[index] and value.AttributeId == ua.AttributeIds.UserExecutable and self.server.caller is not None:
                if (name := self.server.caller.name_of(value.NodeId)) is not None:
                    results[index] = ua.DataValue(ua.Variant(access.may_call(self.person.role, name), ua.VariantType.Boolean))
            elif seen[index] and value.AttributeId == ua.AttributeIds.Value and (own := self.server.personal(self, value.NodeId)):
                results[index] = ua.DataValue(own)
            if seen[index] and value.IndexRange:
                results[index] = ranges.part(results[index], value.IndexRange)
        return results

    async def write(self, params: ua.WriteParameters) -> list[ua.StatusCode]:
        """Refuse: nothing here is written from outside, methods ask the core."""
        wanted = bounded(params.NodesToWrite)
        self.denied("Write " + names(value.NodeId for value in wanted))
        return [DENIED for _ in wanted]

    async def browse(self, params: ua.BrowseParameters) -> list[ua.BrowseResult]:
        """Browse what the person may see; references to the rest are left out."""
        wanted = bounded(params.NodesToBrowse)
        results = await super().browse(params)
        for index, description in enumerate(wanted):
            if not self.sees(description.NodeId):
                self.denied("Browse " + names((description.NodeId,)))
                results[index] = ua.BrowseResult(StatusCode=DENIED)
            else:
                results[index].References = [ref for ref in results[index].References or [] if self.sees(plain(ref.NodeId))]
        return [self.pages.page(result, params.RequestedMaxReferencesPerNode) for result in results]

    async def browse_next(self, parameters: ua.BrowseNextParameters) -> list[ua.BrowseResult]:
        """Go on with what a browse has left."""
        return [self.pages.after(point, parameters.ReleaseContinuationPoints) for point in bounded(parameters.ContinuationPoints)]

    async def translate_browsepaths_to_nodeids(self, params: list[ua.BrowsePath]) -> list[ua.BrowsePathResult]:
        """Translate paths to what the person may see."""
        for path in bounded(params):
            if len(path.RelativePath.Elements or []) > 20:
                raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        results = await super().translate_browsepaths_to_nodeids(params)
        for result in results:
            if not all(self.sees(plain(target.TargetId)) for target in result.Targets or []):
                self.denied("TranslateBrowsePaths")
                result.Targets, result.StatusCode = [], DENIED
        return results

    async def history_read(self, params: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        """Read the history of what the person may see."""
        wanted = bounded(params.NodesToRead, MOST_HISTORY)
        if self.server.historian is None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        seen = [self.sees(value.NodeId) for value in wanted]
        params.NodesToRead = [value for value, may in zip(wanted, seen, strict=True) if may]
        found = iter(await self.server.historian(self, params))
        if not all(seen):
            self.denied("HistoryRead " + names(value.NodeId for value, may in zip(wanted, seen, strict=True) if not may))
        return [next(found) if may else ua.HistoryReadResult(StatusCode=DENIED) for may in seen]

    async def history_update(self, params: ua.HistoryUpdateParameters) -> list[ua.HistoryUpdateResult]:
        """Refuse: nobody changes what was."""
        self.denied("HistoryUpdate")
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)

    # ---- what may be done ----

    async def call(self, params: list[ua.CallMethodRequest]) -> list[ua.CallMethodResult]:
        """Carry out calls one after the other."""
        if self.server.caller is None:
            raise ServiceError(ua.StatusCodes.BadServiceUnsupported)
        return [await self.server.caller.call(self, request) for request in bounded(params, 10)]

    async def add_nodes(self, params: list[ua.AddNodesItem]) -> list[ua.AddNodesResult]:
        """Refuse: the address space is made from the tables."""
        return self.closed("AddNodes")

    async def delete_nodes(self, params: ua.DeleteNodesParameters) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self.closed("DeleteNodes")

    async def add_references(self, params: list[ua.AddReferencesItem]) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self.closed("AddReferences")

    async def delete_references(self, params: list[ua.DeleteReferencesItem]) -> list[ua.StatusCode]:
        """Refuse as ``add_nodes``."""
        return self.closed("DeleteReferences")

    def closed(self, what: str) -> NoReturn:
        """Refuse a service that nobody may use, and say so in the audit."""
        self.denied(what)
        raise ServiceError(ua.StatusCodes.BadUserAccessDenied)
