"""``dr completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from dr.cli.command import command
from dr.cli.text import N_

_SHELLS = ("bash", "zsh", "fish")


@command(
    "completion",
    N_(
        "Print the completion script of a shell.\n\n"
        "\b\n"
        "bash: dr completion bash > ~/.local/share/bash-completion/completions/dr\n"
        "zsh:  dr completion zsh > a file called _dr in a folder of $fpath\n"
        "fish: dr completion fish > ~/.config/fish/completions/dr.fish"
    ),
)
@click.argument("shell", type=click.Choice(_SHELLS))
def completion(shell: str) -> None:
    """Print the completion script."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 (click ships these three)
    root = click.get_current_context().find_root().command
    click.echo(found(root, {}, "dr", "_DR_COMPLETE").source())
