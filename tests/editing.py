"""Changes files as `config set` does, without the command and the way back."""

from collections.abc import Sequence
from pathlib import Path

from ruuvi_host.config.edit import with_keys


def set_keys(config: Path, pairs: Sequence[tuple[str, str]]) -> list[Path]:
    """Returns the changed files."""
    texts = with_keys(config, pairs)
    for path, text in texts.items():
        path.write_text(text)
    return list(texts)
