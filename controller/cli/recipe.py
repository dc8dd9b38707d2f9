"""``ovenctl recipe``: check and show recipes, and run them dry."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from controller.cli.asking import AsJson, ConfigPath, configured, console
from controller.errors import FileError

app = typer.Typer(no_args_is_help=True, help="Check and show recipes.")


@app.command("check")
def recipe_check(
    file: Path, load: Annotated[Path | None, typer.Option(help="load record to check with it")] = None, config: ConfigPath = None
) -> None:
    """Check a recipe, and a load with it, against form, equipment and the claims' windows."""
    from controller.fitness import problems_of_any
    from controller.recipe import check, reading

    settings = configured(config).settings
    sourced = reading.read_recipe(file)
    problems = problems_of_any(settings, sourced)
    if problems:
        raise FileError(str(file), problems)
    warnings = check.warnings_of(sourced.recipe)
    if load is not None:
        record = reading.read_load(load)
        if found := check.check_load(record, sourced.recipe, settings.equipment):
            raise FileError(str(load), found)
        warnings += check.lot_warnings(record, settings.estimator.lot)
    for warning in warnings:
        console.print(f"warning: {warning}", soft_wrap=True, highlight=False, markup=False)
    said = f"{sourced.recipe.id} rev {sourced.recipe.revision}: fit for this oven, sha256 {sourced.sha256}"
    console.print(said, soft_wrap=True, highlight=False, markup=False)


@app.command("dryrun")
def recipe_dryrun(
    file: Path,
    load: Annotated[Path, typer.Option(help="load record")],
    config: ConfigPath = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe with a load on the model, over all that is not known of the product; exit code 1 when the receipt is doubtful."""
    from controller import dryrun
    from controller.fitness import problems_of
    from controller.recipe import check, reading

    settings = configured(config).settings
    sourced, record = reading.read_recipe(file), reading.read_load(load)
    if problems := problems_of(settings, sourced.recipe):
        raise FileError(str(file), problems)
    if problems := check.check_load(record, sourced.recipe, settings.equipment):
        raise FileError(str(load), problems)
    receipt = dryrun.dry_run(settings, sourced.recipe, sourced.sha256, record)
    if as_json:
        sys.stdout.write(json.dumps({**dryrun.plain(receipt), "verdict": receipt.verdict}) + "\n")
    else:
        for line in dryrun.lines(receipt):
            console.print(line, highlight=False, soft_wrap=True, markup=False)
    raise typer.Exit(0 if receipt.verdict == "READY" else 1)


@app.command("show")
def recipe_show(file: Path) -> None:
    """Show a recipe's phases with the formula's numbers in place."""
    from controller.recipe import reading

    recipe = reading.read_recipe(file).recipe
    table = Table(title=escape(f"{recipe.id} rev {recipe.revision} · {recipe.title}"))
    for column in ("", "phase", "name", "what"):
        table.add_column(column)
    for number, phase in enumerate(recipe.phase, 1):
        said = phase.model_dump(exclude={"kind", "name", "comment", "at", "turn"}, exclude_none=True)
        table.add_row(
            str(number), phase.kind, escape(phase.title if phase.turn else phase.name),
            escape(", ".join(f"{key} {value}" for key, value in said.items())),
        )  # fmt: skip
    console.print(table)
