"""`ruuvi-host capture`: record every byte of a port into a file, or anonymize such a file."""

from __future__ import annotations

import click


@click.command(
    epilog="""\b
Examples:
  ruuvi-host capture air.pcapng --port /dev/ttyACM0
  ruuvi-host capture - --simulate | wireshark -k -i -
  ruuvi-host capture --anonymize air.pcapng for-the-report.pcapng"""
)
@click.argument("files", metavar="FILE", nargs=-1)
@click.option("--port", metavar="PORT", help="Serial port of the coprocessor, as for `run`.")
@click.option("--simulate", is_flag=True, help="Use a simulated coprocessor instead of a port.")
@click.option(
    "--passive",
    is_flag=True,
    help="Send nothing: no configuration, no commands. For a line that another host uses.",
)
@click.option(
    "--all",
    "every_company",
    is_flag=True,
    help="Let the coprocessor report every company's advertisements, not only Ruuvi's.",
)
@click.option(
    "--anonymize",
    is_flag=True,
    help="Record nothing. FILE is two files: the capture to read, and the one to write with masked "
    "addresses, names, identifiers and key.",
)
@click.option(
    "--seed",
    metavar="TEXT",
    help="With --anonymize: the same masks each time, for tests. With the seed the masks can be "
    "undone.  [default: random masks, which cannot]",
)
def command(
    files: tuple[str, ...],
    port: str | None,
    simulate: bool,
    passive: bool,
    every_company: bool,
    anonymize: bool,
    seed: str | None,
) -> None:
    """Record every byte between host and coprocessor into FILE, until Ctrl-C.

    Configures the coprocessor as `run` does and listens. FILE is pcapng, for Wireshark (which
    decodes the frames with tools/ca_uart.lua); - is standard output. An existing file is
    continued. It is readable for you only: it holds the key that signs batches. Before you give
    it to others, see --anonymize.
    """
    from ruuvi_host import logs
    from ruuvi_host.errors import ConfigError

    logs.configure()
    if anonymize:
        if port or simulate or passive or every_company:
            raise ConfigError("--anonymize", "records nothing: only --seed may be given with it")
        if len(files) != 2:
            raise ConfigError("--anonymize", "name two files: the capture, and the one to write")
        _anonymize(*files, seed)
        return
    if seed is not None:
        raise ConfigError("--seed", "is for --anonymize")
    if len(files) != 1:
        raise ConfigError("FILE", "name one file to record into")
    if bool(port) is simulate:
        raise ConfigError("--port", "name the port, or use --simulate (one of them)")
    if passive and (simulate or every_company):
        raise ConfigError("--passive", "sends nothing, so the coprocessor cannot be configured")
    _record(files[0], port, passive=passive, every_company=every_company)


def _record(path: str, port: str | None, *, passive: bool, every_company: bool) -> None:
    import asyncio

    from firmware_protocol.messages import SetAll
    from ruuvi_host.capture.file import CaptureFile
    from ruuvi_host.capture.recorder import Recorder
    from ruuvi_host.clock import SystemClock
    from ruuvi_host.errors import RuuviHostError
    from ruuvi_host.jobs.listen import listen, overhear
    from ruuvi_host.lifetime import run_until_stopped, together

    recorder = Recorder(CaptureFile(path, port), SystemClock())

    async def file_fails() -> None:
        loop = asyncio.get_running_loop()
        failure: asyncio.Future[OSError] = loop.create_future()
        recorder.on_failure = lambda error: tell(loop, failure, error)
        raise await failure

    def tell(
        loop: asyncio.AbstractEventLoop, failure: asyncio.Future[OSError], error: OSError
    ) -> None:
        loop.call_soon_threadsafe(failure.set_result, error)

    if passive:
        assert port
        listening = overhear(port, recorder.taps[0])
    else:
        settings = SetAll(fltr_tags=not every_company)
        listening = listen(port, lambda reports, now: None, settings, recorder.taps[0])
    try:
        run_until_stopped(together(listening=listening, file=file_fails()))
    except BrokenPipeError:
        pass  # the reader of the pipe has ended
    except OSError as error:
        raise RuuviHostError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        recorder.close()
        click.echo(recorder.summary(), err=True)


def _anonymize(source: str, target: str, seed: str | None) -> None:
    from ruuvi_host.capture.anonymize import write_anonymized
    from ruuvi_host.capture.source import open_source
    from ruuvi_host.cli.progress import progress, size_of

    with progress(f"anonymizing {source}", size_of(source)) as passed:
        capture = open_source(source, passed)
        done = write_anonymized(capture, target, seed)
    for remark in capture.remarks:
        click.echo(f"{capture.name}: {remark}", err=True)
    click.echo(
        f"{target}: {done.frames} frames, {done.reports} of them reports; {done.dropped} bytes "
        "that were in no frame left out",
        err=True,
    )
