"""``ovenctl``: the commands of the core, the gateway and the people around the oven."""

import asyncio
import signal
import sys
from typing import Any

import structlog
import typer

from controller.cli import alarms, batch, engineering, pki, prooftest, recipe, records, user
from controller.cli.asking import ConfigPath, configured, console
from controller.errors import FileError, OvenctlError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Edge controller of one batch oven.")
EX_CONFIG = 78  # sysexits.h: a mistake in a file; systemd does not restart after it
GRACE_S = 10.0  # wall; a second signal within it does not disturb the way to a safe oven


@app.command()
def run(config: ConfigPath = None) -> None:
    """Run the core: scan, interlocks, journal. Stops on SIGTERM or Ctrl-C with the oven safe."""
    from controller import service

    _serve(service.run(configured(config)))


@app.command("warm-up")
def warm_up() -> None:
    """Compile the model into its cache, so that the core starts within seconds. Wanted once after an installation."""
    from controller import estimator

    console.print(f"{estimator.warm_up()} compiled functions ready")


@app.command()
def gateway(config: ConfigPath = None) -> None:
    """Run the gateway: OPC UA and MQTT, out of the journal. The core does not need it."""
    from controller import gateway as gateways

    _serve(gateways.run(configured(config), str(config or "controller.toml")))


for name, group in (
    ("recipe", recipe.app), ("batch", batch.app), ("prooftest", prooftest.app), ("alarms", alarms.app), ("journal", records.journal_app),
    ("pki", pki.app), ("user", user.app),
):  # fmt: skip
    app.add_typer(group, name=name)
app.add_typer(records.app)
app.add_typer(engineering.app)


def _serve(work: Any) -> None:
    """Run ``work`` until it ends or a signal cancels it; the first signal cancels, later ones only when ``GRACE_S`` did not suffice."""
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), structlog.processors.LogfmtRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )

    async def main() -> None:
        task = asyncio.ensure_future(work)
        asked: list[float] = []  # when the work was cancelled
        loop = asyncio.get_running_loop()

        def stop() -> None:
            if not asked or loop.time() - asked[-1] >= GRACE_S:
                task.cancel()
                asked.append(loop.time())

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise

    asyncio.run(main())


def main() -> None:
    """Run ``ovenctl``; a person's mistake is told in one line each, without a traceback."""
    try:
        app()
    except FileError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EX_CONFIG) from None
    except (OvenctlError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
