"""A console that leaves it to its caller what a closed pipe means."""

from rich.console import Console


class Screen(Console):
    """Raises ``BrokenPipeError`` where rich would end the program, with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Called while that error is being handled."""
        raise  # noqa: PLE0704 - on its way up
