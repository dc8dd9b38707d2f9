"""``ovenctl prooftest``: of the PLC contract before a batch, of safety devices now and then."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.asking import Asker, ConfigPath, ask, configured, console
from controller.clock import wall_ns
from controller.recipe.states import Verb

app = typer.Typer(no_args_is_help=True, help="Proof tests: of the PLC contract before a batch, of safety devices now and then.")


@app.command("run")
def prooftest_run(
    recipe: Annotated[Path | None, typer.Option(help="recipe file the batch will run; no other may start on this test")] = None,
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Make the proof test that a batch needs: cold oven, air in it, door closed. Takes a minute or two; `status` shows the result."""
    from controller.recipe import reading

    args = {} if recipe is None else {"recipe_sha256": reading.read_recipe(recipe).sha256}
    ask(configured(config), Verb.PROOF_TEST, user, args, "IDLE")


@app.command("cancel")
def prooftest_cancel(user: Asker = None, config: ConfigPath = None) -> None:
    """Break the running proof test off."""
    ask(configured(config), Verb.PROOF_TEST, user, {"cancel": True}, None)


@app.command("record")
def prooftest_record(
    device: str,
    result: Annotated[str, typer.Argument(help="pass or fail")],
    reason: Annotated[str, typer.Option(help="what was found; needed with fail")] = "",
    date: Annotated[str, typer.Option(help="day of the test, YYYY-MM-DD; today without")] = "",
    user: Asker = None,
    config: ConfigPath = None,
) -> None:
    """Write the periodic proof test of a safety device into the journal (engineer)."""
    ask(configured(config), Verb.PROOF_RECORD, user, {"device": device, "result": result, "date": date, "reason": reason}, None)


@app.command("status")
def prooftest_status(config: ConfigPath = None) -> None:
    """Show the last proof test before a batch, and when each safety device is due."""
    from controller.journal import prooftests
    from controller.journal.reader import JournalReader

    settings = configured(config)
    with JournalReader(Path(settings.core.journal)) as reader:
        found = prooftests.schedule(reader, settings.settings.proof_test.interval_d)
        contract = prooftests.contract_test(reader)
    for line in prooftests.lines(found, contract, prooftests.day_of(wall_ns())):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
