"""`chainrule`: the entry, and what its exit codes mean.

0    done
1    something failed that has no code of its own
2    the command line is wrong
3    data are missing, damaged, or cannot be fetched
4    the output folder cannot be written to, or the disk is full
5    the training diverged: the loss is no number any more
130  Ctrl-C (143: asked to end); what was trained so far is in the output folder
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from chainrule._version import __version__
from chainrule.cli.check import check
from chainrule.cli.doctor import doctor
from chainrule.cli.output import OutputError
from chainrule.cli.port import port
from chainrule.cli.report import report
from chainrule.cli.train import train
from chainrule.errors import ChainruleError, DataError

DATA_MISSING = 3
NOT_WRITABLE = 4
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="chainrule")
def cli() -> None:
    """Deep learning whose subject is the chain rule."""


cli.add_command(train)
cli.add_command(report)
cli.add_command(check)
cli.add_command(doctor)
cli.add_command(port)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code. `arguments` are the process's by default."""
    try:
        code = cli.main(
            args=list(sys.argv[1:] if arguments is None else arguments), standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except DataError as error:
        return _failed(error, DATA_MISSING)
    except OutputError as error:
        return _failed(error, NOT_WRITABLE)
    except ChainruleError as error:
        return _failed(error, 1)
    except BrokenPipeError:  # the reader of a pipe, such as `head`, had enough
        sys.stderr.close()
        return 1
    return code if isinstance(code, int) else 0


def _failed(error: Exception, code: int) -> int:
    click.echo(f"Error: {error}", err=True)
    return code
