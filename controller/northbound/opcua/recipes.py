"""The methods of ``Recipes``, and what an upload is examined for: the equipment, the claims' windows, and the model."""

import json
from typing import Final

from controller import dryrun
from controller.errors import FileError, Problem
from controller.fitness import problems_of_any
from controller.memory import Settings
from controller.northbound.library import Library, LibraryError, Status, Stored
from controller.northbound.opcua.batch import Asking
from controller.northbound.opcua.methods import Arg, Method, Values, on_thread
from controller.northbound.opcua.users import Person
from controller.recipe.check import check_load
from controller.recipe.model import LoadRecord, Recipe
from controller.recipe.reading import MAX_BYTES, SourcedRecipe
from controller.recipe.states import Verb

REFUSED: Final = "REFUSED"
MOST_RECEIVED: Final = 1_048_576  # characters of an upload that are looked at at all: the longest message
_ID: Final = (Arg("RecipeId", "String", "id of the recipe", most=64), Arg("Revision", "UInt32", "its revision", 1, 1_000_000))
_WHY: Final = Arg("Reason", "String", "goes into the library")
_DONE: Final = (Arg("Accepted", "Boolean", "it was done"), Arg("Answer", "String", "what became of it, the reason when it was refused"))


def examiner(settings: Settings):  # type: ignore[no-untyped-def]
    """Return what examines an upload for this oven."""
    return lambda sourced: examine(settings, sourced)


def examine(settings: Settings, sourced: SourcedRecipe) -> tuple[str, str]:
    """Return verdict and receipt (JSON) of a readable recipe, made with the largest load that it permits. Takes some tenths of a second.

    Raises:
        FileError: this oven cannot or must not run it.
    """
    recipe = sourced.recipe
    if problems := problems_of_any(settings, sourced):
        raise FileError(f"{recipe.id}/{recipe.revision}", problems)
    load = largest(settings, recipe)
    if problems := check_load(load, recipe, settings.equipment):
        shown: dict[str, object] = {"verdict": "READY", "dry_run": None, "why": "; ".join(str(problem) for problem in problems)}
        return "READY", json.dumps(shown)
    receipt = dryrun.dry_run(settings, recipe, sourced.sha256, load)
    shown = {"verdict": receipt.verdict, "load": load.model_dump(), "dry_run": dryrun.plain(receipt)}
    return receipt.verdict, json.dumps(shown, allow_nan=False)


def largest(settings: Settings, recipe: Recipe) -> LoadRecord:
    """Return the load for the dry run: the widest film and roll that recipe and oven take, shortened to the solvent they permit."""
    limits, equipment = recipe.load, settings.equipment
    share = min(40.0, max(10.0, limits.max_residual_wt_pct)) / 100
    width_m, film_um = min(limits.max_width_m, equipment.roll_width_m), limits.max_film_um
    solvent_kg_m = width_m * film_um * 1e-6 * 1450.0 * share / (1 - share)
    allowed_kg = 0.9 * min(equipment.solvent_kg, equipment.trap_kg)
    length_m = max(0.1, min(limits.max_length_m, equipment.roll_length_m, allowed_kg / solvent_kg_m))
    return LoadRecord(
        roll_ids=("DRY-RUN",), resin_lot=settings.estimator.lot or "dry run", solvent=recipe.material.solvent, predry_c=110.0,
        residual_wt_pct=100 * share, length_m=length_m, width_m=width_m, foil_um=18.0, film_um=film_um, gap_um=100.0,
        core_mm=150.0, tape="dry run",
    )  # fmt: skip


def table(library: Library, asking: Asking) -> tuple[Method, ...]:
    """Return the methods of the library."""

    async def upload(person: Person, values: Values) -> tuple[str, int, str, str, str]:
        try:
            return tuple(await on_thread(library.upload, values["Name"] or "recipe", values["Content"], person.name))
        except (FileError, LibraryError) as error:
            return "", 0, "", REFUSED, _mistakes(error)

    async def download(person: Person, values: Values) -> tuple[bool, str]:
        try:
            return True, await on_thread(library.text, values["RecipeId"], values["Revision"])
        except LibraryError as error:
            return False, str(error)

    async def list_(person: Person, values: Values) -> tuple[str]:
        rows = await on_thread(library.listed)
        return (json.dumps([{**row._asdict(), "status": row.status.value} for row in rows if row.status is not Status.REMOVED]),)

    def step(to: Status):  # type: ignore[no-untyped-def]
        async def move(person: Person, values: Values) -> tuple[bool, str]:
            try:
                await on_thread(library.move, values["RecipeId"], values["Revision"], to, person.name, values["Reason"])
            except LibraryError as error:
                return False, str(error)
            return True, f"{values['RecipeId']}/{values['Revision']} is {to}"

        return move

    async def retire(person: Person, values: Values) -> tuple[bool, str]:
        """Have the core refuse it from now on, then say so in the library."""
        recipe, revision = values["RecipeId"], values["Revision"]
        try:
            await on_thread(library.may_move, recipe, revision, Status.RETIRED)
        except LibraryError as error:
            return False, str(error)
        args = {"recipe": recipe, "revision": revision, "reason": values["Reason"]}
        accepted, answer, _ = await asking.ask(person, Verb.RETIRE, args)
        return await step(Status.RETIRED)(person, values) if accepted else (False, answer)

    return (
        Method("Recipes.Upload", "take a recipe as a draft: read, checked against oven and claims, run on the model", (
            Arg("Name", "String", "of the file, for messages", most=120),
            Arg("Content", "String", f"TOML, at most {MAX_BYTES} characters; of what is longer the head is kept", most=MOST_RECEIVED)), (
            Arg("RecipeId", "String", "as the content says; empty when refused"), Arg("Revision", "UInt32", "as the content says"),
            Arg("Sha256", "String", "of the canonical form"), Arg("Verdict", "String", "READY, DOUBTFUL or REFUSED"),
            Arg("Receipt", "String", "JSON: the dry run, or every mistake with key, value and what is allowed")), upload),
        Method("Recipes.Download", "give a revision's text as it was uploaded", _ID, (
            Arg("Found", "Boolean", "there is one"), Arg("Content", "String", "TOML, or why not")), download),
        Method("Recipes.List", "list all revisions", (), (Arg("Revisions", "String", "JSON"),), list_),
        Method("Recipes.Remove", "take a draft away", (*_ID, _WHY), _DONE, step(Status.REMOVED)),
        Method("Recipes.Submit", "ask for approval", (*_ID, _WHY), _DONE, step(Status.SUBMITTED)),
        Method("Recipes.Approve", "approve and sign; another user than the author", (*_ID, _WHY), _DONE, step(Status.APPROVED)),
        Method("Recipes.Retire", "an approved revision may not be started any more, which the core keeps itself", (*_ID, _WHY), _DONE,
               retire),
    )  # fmt: skip


def _mistakes(error: FileError | LibraryError) -> str:
    if isinstance(error, LibraryError):
        return json.dumps({"verdict": REFUSED, "problems": [{"key": "library", "allowed": str(error)}]})
    found: list[Problem] = list(error.problems[:50])
    said = [{"key": problem.where, "value": str(problem).removeprefix(f"{problem.where} = ")[:300]} for problem in found]
    return json.dumps({"verdict": REFUSED, "file": error.file, "count": len(error.problems), "problems": said})


def taken(stored: Stored) -> str:
    """Return the receipt of an upload by file: the answers of the method Upload as one JSON object."""
    return json.dumps({**stored._asdict(), "receipt": json.loads(stored.receipt)})


def refusal(error: FileError | LibraryError) -> str:
    """Return the same of an upload that was refused."""
    return json.dumps({"recipe": "", "revision": 0, "sha256": "", "verdict": REFUSED, "receipt": json.loads(_mistakes(error))})
