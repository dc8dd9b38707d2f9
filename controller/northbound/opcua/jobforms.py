"""Job orders from and to the standard's structures, its ReturnStatus, and the event that tells an order's state."""

from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua
from asyncua.common.event_objects import BaseEvent
from pydantic import ValidationError

from controller.clock import wall_ns
from controller.northbound.opcua import batch
from controller.northbound.opcua.events import head, with_types
from controller.northbound.opcua.joborders import Job
from controller.northbound.opcua.mapping import JOB_STATES
from controller.northbound.opcua.methods import Arg, misfit
from controller.northbound.opcua.space import node_id

_ua: Any = ua  # the structures of the nodeset come into it when it is loaded
FORMULA: Final = "Formula."
STATUS_EVENT: Final = "Oven.JobResponses.JobOrderStatusEventType"


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
            id=str(order.JobOrderID or ""), recipe=recipe, revision=int(revision), parameters=parameters, description="".join(texts[:1]),
            begins_ns=_ns(order.StartTime),
        )  # fmt: skip
    except ValidationError as error:
        return invalid(str(error.errors()[0]["msg"]))


def _ns(time: datetime | None) -> int:
    """Return ns since 1970 of an order's StartTime, 0 for none: the standard's smallest time."""
    if time is None or time.year <= 1601:
        return 0
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1e6) * 1000


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
        JobOrderID=job.id, Description=[ua.LocalizedText(job.description)], JobOrderParameters=parameters, StartTime=_time(job.begins_ns),
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


class JobEvent(BaseEvent):
    """What ISA95JobOrderStatusEventType says; the standard's own type is abstract."""

    def __init__(self, **given: Any) -> None:
        """Add the fields to those of every event."""
        super().__init__(**given)
        self.EventType = node_id(STATUS_EVENT)
        for name in ("JobOrder", "JobState", "JobResponse"):
            self.add_property(name, None, ua.VariantType.ExtensionObject)


def event(job: Job) -> JobEvent:
    """Return the event that tells in which state an order is now."""
    made = JobEvent(sourcenode=node_id("Oven.JobResponses"), message=f"job order {job.id} is {job.state}: {job.said}"[:400], severity=100)
    head(with_types(made), wall_ns())
    made.SourceName, made.JobOrder, made.JobState, made.JobResponse = (
        "JobOrderResults",
        order_of(job).JobOrder,
        [state_of(job)],
        response(job),
    )
    return made


def _variant(name: str, value: Any) -> ua.Variant:
    arg = next((one for one in batch.LOAD if one.name == name), Arg(name, "Double", ""))
    kind = ua.VariantType.String if arg.type.startswith("String") else ua.VariantType.Double
    return ua.Variant(value, kind, is_array=arg.type.endswith("[]"))


def _time(at_ns: int) -> datetime | None:
    return datetime.fromtimestamp(at_ns / 1e9, UTC) if at_ns else None
