"""ISA-95 job control over the same commands, roles and audit as ``Batch``: an order is a recipe's revision and a load.

``Start`` starts at once or is refused: an oven that begins to heat by itself when it has become free would surprise somebody. So an order
is never AllowedToStart, and RevokeStart and Update are left out.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from pydantic import ValidationError

from controller.clock import wall_ns
from controller.errors import OvenctlError
from controller.northbound.library import Library, LibraryError
from controller.northbound.opcua import batch
from controller.northbound.opcua.joborders import Job, JobOrders
from controller.northbound.opcua.mapping import FINAL_JOBS, JOB_STATES
from controller.northbound.opcua.methods import Arg, Fault, Method, Values, misfit, on_thread
from controller.northbound.opcua.port import Oven
from controller.northbound.opcua.users import Person
from controller.recipe.states import Verb

_ua: Any = ua  # the structures of the nodeset come into it when it is loaded
FORMULA: Final = "Formula."
_ID: Final = Arg("JobOrderID", "String", "of the order", most=64)
_COMMENT: Final = Arg("Comment", "LocalizedText[]", "the first goes into the batch record as the reason", most=300)
_ORDER: Final = Arg("JobOrder", "ISA95JobOrderDataType", "WorkMasterID[0].ID = RECIPE/REVISION; parameters as the arguments of Batch.Start")
_STATUS: Final = Arg("ReturnStatus", "UInt64", "1 done; 2 unknown order, 8 not in this state, 16 not accepted, 2^32 invalid; why: audit")
_RESPONSE: Final = Arg("JobResponse", "ISA95JobResponseDataType", "state, times, batch")
_PLAIN: Final = (("Pause", Verb.HOLD, 7007), ("Resume", Verb.RESTART, 7008), ("Stop", Verb.STOP, 7006), ("Abort", Verb.ABORT, 7010))


class Returned(int):
    """A ReturnStatus with the words for the audit."""

    said: str

    def __new__(cls, status: int, said: str) -> "Returned":
        """Return the number, with its words."""
        made = super().__new__(cls, status)
        made.said = said
        return made

    def __str__(self) -> str:
        """Return number and words."""
        return f"{int(self)} ({self.said})"


def done(said: str) -> Returned:
    """Return the status of what was done."""
    return Returned(1, said)


def unknown(name: str) -> Returned:
    """Return the status for an order that is not there."""
    return Returned(1 << 1, f"no job order {name}")


def misplaced(job: Job, wanted: str) -> Returned:
    """Return the status for an order in another state."""
    return Returned(1 << 3, f"{job.id} is {job.state}, wanted {wanted}")


def refused(why: str) -> Returned:
    """Return the status for what library or core refuse."""
    return Returned(1 << 4, why)


def invalid(why: str) -> Returned:
    """Return the status for an order of the wrong form."""
    return Returned(1 << 32, why)


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

    async def _keep(self, order: Any) -> Returned:
        job = job_of(order)
        if isinstance(job, Returned):
            return job
        if job.id in self._orders.jobs:
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
        accepted, answer, _ = await batch.start(self._asking, self._library, person, load_of(job) | given)
        if not accepted:
            await self._put(job.model_copy(update={"said": answer[:400]}))
            return (refused(answer),)
        try:
            found = (await on_thread(self._oven.news, 0)).latest.get("batch_start", {})
        except OvenctlError as error:
            return (refused(f"started, but the journal cannot be read: {error}"),)
        update = {"state": "Running", "batch": str(found.get("batch_id", "")), "started_ns": wall_ns(), "said": answer[:400]}
        await self._put(job.model_copy(update=update))
        return (done(answer),)

    def _ask(self, verb: Verb) -> Any:
        async def ask(person: Person, values: Values) -> tuple[Returned]:
            job = self._orders.jobs.get(values["JobOrderID"])
            if job is None:
                return (unknown(values["JobOrderID"]),)
            if not self._orders.runs(job):
                return (misplaced(job, "an order that runs"),)
            texts = [one.Text for one in values["Comment"] if one.Text]
            args = {"reason": f"job order {job.id}" + (f": {texts[0]}" if texts else "")}
            accepted, answer, _ = await self._asking.ask(person, verb, args)
            return (done(answer) if accepted else refused(answer),)

        return ask

    def _forget(self, over: bool) -> Any:
        async def forget(person: Person, values: Values) -> tuple[Returned]:
            job = self._orders.jobs.get(values["JobOrderID"])
            if job is None:
                return (unknown(values["JobOrderID"]),)
            if over is not (job.state in FINAL_JOBS) or (not over and job.batch):
                return (misplaced(job, "Ended or Aborted" if over else "an order that was not started"),)
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


def job_of(order: Any) -> Job | Returned:
    """Return an order as it is kept, or the status that says what is wrong with its form."""
    masters, allowed = order.WorkMasterID or [], {arg.name: arg for arg in batch.LOAD}
    recipe, _, revision = str(masters[0].ID or "").rpartition("/") if masters else ("", "", "")
    if not recipe or not revision.isdecimal() or len(revision) > 7:
        return invalid("WorkMasterID[0].ID must be RECIPE/REVISION")
    parameters: dict[str, Any] = {}
    for one in order.JobOrderParameters or []:
        name, value = str(one.ID), one.Value if isinstance(one.Value, ua.Variant) else ua.Variant(one.Value)
        arg = allowed.get(name) or (Arg(name, "Double", "") if name.startswith(FORMULA) else None)
        if arg is None or name in parameters or one.Subparameters:
            return invalid(f"parameter {name[:40]}: each once, of {', '.join(allowed)}, {FORMULA}NAME")
        if code := misfit(arg, value):
            return invalid(f"parameter {name[:40]}: {ua.StatusCode(code).name}, wanted {arg.type}")
        parameters[name] = value.Value
    if missing := allowed.keys() - parameters.keys():
        return invalid(f"missing parameters: {', '.join(sorted(missing))}")
    texts = [str(one.Text) for one in order.Description or [] if one.Text]
    try:
        return Job(
            id=str(order.JobOrderID or ""), recipe=recipe, revision=int(revision), parameters=parameters, description="".join(texts[:1])
        )
    except ValidationError as error:
        return invalid(str(error.errors()[0]["msg"]))


def load_of(job: Job) -> dict[str, Any]:
    """Return the load of an order as the arguments of Batch.Start."""
    return {arg.name: job.parameters[arg.name] for arg in batch.LOAD}


def state_of(job: Job) -> Any:
    """Return the state of an order as ISA-95 shows it."""
    return _ua.ISA95StateDataType(BrowsePath=ua.RelativePath(), StateText=ua.LocalizedText(job.state), StateNumber=JOB_STATES[job.state])


def order_of(job: Job) -> Any:
    """Return an order with its state."""
    parameters = [_ua.ISA95ParameterDataType(ID=name, Value=_variant(name, value)) for name, value in job.parameters.items()]
    order = _ua.ISA95JobOrderDataType(
        JobOrderID=job.id, Description=[ua.LocalizedText(job.description)], JobOrderParameters=parameters,
        WorkMasterID=[_ua.ISA95WorkMasterDataType(ID=f"{job.recipe}/{job.revision}")],
    )  # fmt: skip
    return _ua.ISA95JobOrderAndStateDataType(JobOrder=order, State=[state_of(job)])


def response(job: Job) -> Any:
    """Return what became of an order."""
    texts = {"BatchId": job.batch, "Answer": job.said}
    found = [_ua.ISA95ParameterDataType(ID=name, Value=ua.Variant(text, ua.VariantType.String)) for name, text in texts.items()]
    return _ua.ISA95JobResponseDataType(
        JobResponseID=f"{job.id}/{job.batch or '-'}", JobOrderID=job.id, StartTime=_time(job.started_ns), EndTime=_time(job.ended_ns),
        JobState=[state_of(job)], JobResponseData=found,
    )  # fmt: skip


def _variant(name: str, value: Any) -> ua.Variant:
    arg = next((one for one in batch.LOAD if one.name == name), Arg(name, "Double", ""))
    kind = ua.VariantType.String if arg.type.startswith("String") else ua.VariantType.Double
    return ua.Variant(value, kind, is_array=arg.type.endswith("[]"))


def _time(at_ns: int) -> datetime | None:
    return datetime.fromtimestamp(at_ns / 1e9, UTC) if at_ns else None
