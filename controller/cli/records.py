"""``ovenctl report``, ``incident``, ``journal verify``: what the journal says of a batch."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from controller.cli.asking import ConfigPath, JournalPath, configured, console

app = typer.Typer()
journal_app = typer.Typer(no_args_is_help=True, help="Look into the journal.")


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="HTML file to write; batch-report-NUMBER.html without")] = None,
    batch: Annotated[int | None, typer.Option(help="number of the batch; the last one without")] = None,
    coupons: Annotated[Path | None, typer.Option(help="TOML or JSON file with lab results")] = None,
    reference: Annotated[Path | None, typer.Option(help="CSV file of curves to draw beside the estimate, see journal/reference.py")] = None,
    journal: JournalPath = None,
    config: ConfigPath = None,
) -> None:
    """Write the batch record as one self-contained HTML file."""
    from controller.journal import report as reports
    from controller.journal.product import read_lab_file

    source = journal or Path(configured(config).core.journal)
    lab = reports.NO_RESULTS if coupons is None else read_lab_file(coupons)[0]
    console.print(str(reports.report(source, out, batch, lab, reference)))


@app.command()
def incident(
    number: Annotated[int | None, typer.Argument(help="of the incident; the newest without")] = None,
    listed: Annotated[bool, typer.Option("--list", help="list them all")] = False,
    journal: JournalPath = None,
    config: ConfigPath = None,
) -> None:
    """Show a first-out with the minute before and after it: order of the rows, signals that moved, main values."""
    from controller.journal import incident as incidents
    from controller.journal.reader import JournalReader

    with JournalReader(journal or Path(configured(config).core.journal)) as reader:
        if listed:
            for one in incidents.incidents(reader):
                console.print(f"{one.number:4} {one.at_s:12.1f} s  {one.rule:5} {one.effect:8} {one.text}", highlight=False, markup=False)
            return
        shot = incidents.snapshot(reader, number)
    for line in incidents.lines(shot):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    head, body = incidents.sheet(shot)
    table = Table(*head)
    for row in body:
        table.add_row(*row)
    console.print(table)


@journal_app.command("verify")
def journal_verify(journal: Annotated[Path | None, typer.Argument()] = None, config: ConfigPath = None) -> None:
    """Check the whole hash chain and that no number is missing."""
    from controller.journal.chain import verify

    found = verify(journal or Path(configured(config).core.journal))
    console.print(found.text)
    if found.first_bad_seq is not None:
        raise typer.Exit(1)
