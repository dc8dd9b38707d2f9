"""What the commands share: the options they all take, the configuration, and the core's answer to what it was asked."""

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from controller import config as configs
from controller.clock import pause, wall_s
from controller.recipe.states import Verb

console = Console(emoji=False)  # a recipe or an address says what it says: ":o:" is no picture

ConfigPath = Annotated[  # not looked at here (``readable``): what is wrong with it is told as of any file, with the exit status of one
    Path | None,
    typer.Option("--config", "-c", envvar="OVENCTL_CONFIG", readable=False, help="controller.toml; built-in defaults without"),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on the last line")]
JournalPath = Annotated[Path | None, typer.Option("--journal", help="journal to read; the configured one without")]
Reason = Annotated[str, typer.Option(help="goes into the batch record")]
Expect = Annotated[str | None, typer.Option(help="refuse unless the unit is in this state")]
Asker = Annotated[str | None, typer.Option("--user", help="who asks; the login name without")]


def configured(path: Path | None) -> configs.Config:
    """Return the configuration in ``path``, or the built-in defaults with every path in this folder."""
    return configs.load(path) if path is not None else configs.anchored(configs.Config(), Path.cwd())


def ask(config: configs.Config, verb: Verb, user: str | None, args: dict[str, Any], expected: str | None) -> None:
    """Post a command, wait for the core's answer in the journal and end with it."""
    raise typer.Exit(0 if accepted(config, verb, user, args, expected) else 1)


def accepted(config: configs.Config, verb: Verb, user: str | None, args: dict[str, Any], expected: str | None) -> bool:
    """Post a command, show the core's answer and return whether it was carried out; without an answer end with 2."""
    from controller.journal.mailbox import post
    from controller.journal.reader import JournalReader

    name = user or getpass.getuser()
    command_id = post(config.core.mailbox, name, verb.value, args, expected, role=config.core.roles.get(name, "operator"))
    deadline_s = wall_s(10.0)
    with JournalReader(Path(config.core.journal)) as reader:
        while wall_s() < deadline_s:
            answer = reader.outcome_of(command_id)
            if answer is not None:
                said = f"{verb.value}: {'accepted' if answer.accepted else 'REFUSED'}: {answer.text}"
                console.print(said, soft_wrap=True, highlight=False, markup=False)
                return answer.accepted
            pause(0.1)
    console.print(
        f"{verb.value}: no answer within 10 s. A core that does not run will not carry it out later: the command expires by itself. "
        "One that cannot write its journal (disk) may have carried it out: look at the oven and at the core's log",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    raise typer.Exit(2)
