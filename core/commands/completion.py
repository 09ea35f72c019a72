"""`hookledger completion SHELL`: what makes a shell complete our words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from core.epilog import epilog

WHERE = {
    "bash": (
        'For this shell only:   eval "$(hookledger completion bash)"',
        "For every new shell:   hookledger completion bash > ~/.local/share/bash-completion/completions/hookledger",
    ),
    "zsh": (
        'For this shell only:   eval "$(hookledger completion zsh)"',
        "For every new shell:   hookledger completion zsh > a file named _hookledger in a folder of $fpath",
    ),
    "fish": (
        "For this shell only:   hookledger completion fish | source",
        "For every new shell:   hookledger completion fish > ~/.config/fish/completions/hookledger.fish",
    ),
}
"""Where its script is put."""


@click.command(
    epilog=epilog(
        'eval "$(hookledger completion bash)"',
        "hookledger completion fish > ~/.config/fish/completions/hookledger.fish",
    ),
)
@click.argument("shell", type=click.Choice(sorted(WHERE)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete commands, options, triggers and ids. It says itself where it is put."""
    kind = get_completion_class(shell)
    assert kind is not None
    door = ctx.find_root()
    script = kind(door.command, {}, str(door.info_name), f"_{str(door.info_name).upper()}_COMPLETE").source()
    first, rest = script.lstrip().split("\n", 1)
    comments = "\n".join(f"# {line}" for line in WHERE[shell])
    # zsh takes the first line for the command that the file is for.
    click.echo(f"{first}\n{comments}\n{rest}" if first.startswith("#") else f"{comments}\n{first}\n{rest}")
