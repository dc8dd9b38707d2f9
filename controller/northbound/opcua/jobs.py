"""ISA-95 job control over the same commands, roles and audit as ``Batch``: an order is a recipe's revision and a load.

``Start`` of an order without a StartTime starts at once or is refused: an oven that begins to heat by itself when it has become free would
surprise somebody. One with a StartTime ahead becomes the core's delayed start: AllowedToStart until its time comes or it is revoked.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asyncua import ua

from controller.clock import wall_ns
from controller.errors import OvenctlError
from controller.northbound.library import Library, LibraryError
from controller.northbound.opcua import batch
from controller.northbound.opcua.jobforms import FORMULA, Returned, done, invalid, job_of, load_of, misplaced, refused, response, unknown
from controller.northbound.opcua.joborders import Job, JobOrders
from controller.northbound.opcua.mapping import FINAL_JOBS, JOB_STATES
from controller.northbound.opcua.methods import Arg, Fault, Method, Values, on_thread
from controller.northbound.opcua.port import Oven
from controller.northbound.opcua.users import Person
from controller.recipe.states import Verb

_ua: Any = ua  # the structures of the nodeset come into it when it is loaded
_ID: Final = Arg("JobOrderID", "String", "of the order", most=64)
_COMMENT: Final = Arg("Comment", "LocalizedText[]", "the first goes into the batch record as the reason", most=300)
_ORDER: Final = Arg("JobOrder", "ISA95JobOrderDataType", "WorkMasterID[0].ID = RECIPE/REVISION; parameters as the arguments of Batch.Start")
_STATUS: Final = Arg("ReturnStatus", "UInt64", "1 done; 2 unknown order, 8 not in this state, 16 not accepted, 2^32 invalid; why: audit")
_RESPONSE: Final = Arg("JobResponse", "ISA95JobResponseDataType", "state, times, batch")
_PLAIN: Final = (("Pause", Verb.HOLD, 7007), ("Resume", Verb.RESTART, 7008), ("Stop", Verb.STOP, 7006), ("Abort", Verb.ABORT, 7010))


class Jobs:
    """The methods of receiver and response provider."""

    def __init__(
        self, orders: JobOrders, asking: batch.Asking, library: Library, oven: Oven, changed: Callable[[], Awaitable[None]]
    ) -> None:
        """Remember what the methods work with; ``changed`` shows the orders anew."""
        self._orders, self._asking, self._library, self._oven, self._changed = orders, asking, library, oven, changed

    def table(self) -> tuple[Method, ...]:
        """Return the methods."""
        named = (_ID, _COMMENT)
        return (
            Method("Jobs.Store", "keep an order, and start nothing", (_ORDER, _COMMENT), (_STATUS,), self._store, 7001),
            Method("Jobs.StoreAndStart", "keep an order and start it now", (_ORDER, _COMMENT), (_STATUS,), self._store_and_start, 7004),
            Method("Jobs.Start", "start a stored order now, as Batch.Start does", named, (_STATUS,), self._start, 7005),
            *(Method(f"Jobs.{name}", f"{verb} for the order's batch", named, (_STATUS,), self._ask(verb), number)
              for name, verb, number in _PLAIN),
            Method("Jobs.RevokeStart", "take back the start of an order that waits for its StartTime", named, (_STATUS,),
                   self._revoke, 7013),
            Method("Jobs.Update", "replace an order that is not allowed to start", (_ORDER, _COMMENT), (_STATUS,), self._update, 7009),
            Method("Jobs.Cancel", "forget an order that was not started", named, (_STATUS,), self._forget(False), 7011),
            Method("Jobs.Clear", "forget an order that is over", named, (_STATUS,), self._forget(True), 7012),
            Method("JobResponses.RequestJobResponseByJobOrderID", "say what became of an order", (_ID,),
                   (_RESPONSE, _STATUS), self._by_id, 7002),
            Method("JobResponses.RequestJobResponseByJobOrderState", "say what became of the orders in these states",
                   (Arg("JobOrderState", "ISA95StateDataType[]", "by StateNumber"),),
                   (Arg("JobResponses", "ISA95JobResponseDataType[]", "one for each"), _STATUS), self._by_state, 7014),
        )  # fmt: skip

    async def _store(self, person: Person, values: Values) -> tuple[Returned]:
        return (await self._keep(values["JobOrder"]),)

    async def _store_and_start(self, person: Person, values: Values) -> tuple[Returned]:
        kept = await self._keep(values["JobOrder"])
        return (kept,) if int(kept) != 1 else await self._start(person, {**values, "JobOrderID": values["JobOrder"].JobOrderID})

    async def _update(self, person: Person, values: Values) -> tuple[Returned]:
        name = str(values["JobOrder"].JobOrderID or "")
        if (known := self._orders.jobs.get(name)) is None:
            return (unknown(name[:64]),)
        if known.state != "NotAllowedToStart":
            return (misplaced(known, "NotAllowedToStart"),)
        return (await self._keep(values["JobOrder"], new=False),)

    async def _keep(self, order: Any, new: bool = True) -> Returned:
        job = job_of(order)
        if isinstance(job, Returned):
            return job
        if new and job.id in self._orders.jobs:
            return misplaced(self._orders.jobs[job.id], "a new id")
        try:
            batch.load_text(load_of(job))
            await on_thread(self._library.approved, job.recipe, job.revision)
        except Fault as fault:
            return invalid(str(fault))
        except LibraryError as error:
            return refused(str(error))
        if not await on_thread(self._orders.put, job):
            return refused("no room: clear orders that are over")
        await self._changed()
        return done(f"{job.id} is stored")

    async def _start(self, person: Person, values: Values) -> tuple[Returned]:
        job = self._orders.jobs.get(values["JobOrderID"])
        if job is None:
            return (unknown(values["JobOrderID"]),)
        if job.state != "NotAllowedToStart":
            return (misplaced(job, "NotAllowedToStart"),)
        formula = {name.removeprefix(FORMULA): value for name, value in job.parameters.items() if name.startswith(FORMULA)}
        given = {"RecipeId": job.recipe, "Revision": job.revision, "FormulaNames": list(formula), "FormulaValues": list(formula.values())}
        ahead_min = (job.begins_ns - wall_ns()) / 60e9
        accepted, answer, _ = await batch.start(self._asking, self._library, person, load_of(job) | given, ahead_min)
        if not accepted:
            await self._put(job.model_copy(update={"said": answer[:400]}))
            return (refused(answer),)
        try:
            news = await on_thread(self._oven.news, 0)
        except OvenctlError as error:
            return (refused(f"started, but the journal cannot be read: {error}"),)
        newest = str(news.latest.get("batch_start", {}).get("batch_id", ""))
        update: dict[str, Any] = {"state": "Running", "batch": newest, "started_ns": wall_ns(), "said": answer[:400]}
        if ahead_min > 0:
            armed = news.waiting.seq if news.waiting is not None and news.waiting.armed else news.seq
            update = {"state": "AllowedToStart", "armed_seq": armed, "armed_batch": newest, "said": answer[:400]}
        await self._put(job.model_copy(update=update))
        return (done(answer),)

    async def _revoke(self, person: Person, values: Values) -> tuple[Returned]:
        job = self._orders.jobs.get(values["JobOrderID"])
        if job is None:
            return (unknown(values["JobOrderID"]),)
        if job.state != "AllowedToStart":
            return (misplaced(job, "AllowedToStart"),)
        args = {"reason": _reason(job, values, "start of ")}
        accepted, answer, _ = await self._asking.ask(person, Verb.STOP, args, "IDLE")  # never the batch, should it have begun just now
        if accepted:
            await self._put(self._orders.jobs[job.id].model_copy(update={"state": "NotAllowedToStart", "said": answer[:400]}))
        return (done(answer) if accepted else refused(answer),)

    def _ask(self, verb: Verb) -> Any:
        async def ask(person: Person, values: Values) -> tuple[Returned]:
            job = self._orders.jobs.get(values["JobOrderID"])
            if job is None:
                return (unknown(values["JobOrderID"]),)
            if not self._orders.runs(job):
                return (misplaced(job, "an order that runs"),)
            accepted, answer, _ = await self._asking.ask(person, verb, {"reason": _reason(job, values)})
            return (done(answer) if accepted else refused(answer),)

        return ask

    def _forget(self, over: bool) -> Any:
        async def forget(person: Person, values: Values) -> tuple[Returned]:
            job = self._orders.jobs.get(values["JobOrderID"])
            if job is None:
                return (unknown(values["JobOrderID"]),)
            if job.state not in (FINAL_JOBS if over else ("NotAllowedToStart",)):
                return (misplaced(job, "Ended or Aborted" if over else "NotAllowedToStart"),)
            await on_thread(self._orders.remove, job.id)
            await self._changed()
            return (done(f"{job.id} is forgotten"),)

        return forget

    async def _by_id(self, person: Person, values: Values) -> tuple[Any, Returned]:
        job = self._orders.jobs.get(values["JobOrderID"])
        if job is None:
            return _ua.ISA95JobResponseDataType(), unknown(values["JobOrderID"])
        return response(job), done(job.state)

    async def _by_state(self, person: Person, values: Values) -> tuple[list[Any], Returned]:
        numbers = {one.StateNumber for one in values["JobOrderState"]}
        if not numbers <= set(JOB_STATES.values()):
            return [], Returned(1 << 3, f"states are {', '.join(map(str, JOB_STATES.values()))}")
        found = [response(job) for job in self._orders.jobs.values() if JOB_STATES[job.state] in numbers]
        return found, done(f"{len(found)} orders")

    async def _put(self, job: Job) -> None:
        await on_thread(self._orders.put, job)
        await self._changed()


def _reason(job: Job, values: Values, what: str = "") -> str:
    texts = [one.Text for one in values["Comment"] if one.Text]
    return f"{what}job order {job.id}" + (f": {texts[0]}" if texts else "")
