"""config.json in the run folder of a language model."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numlstm.messages import plain, quoted
from numlstm.tasks.folder import read_config
from numlstm.tasks.generate.corpus import Corpus
from numlstm.tasks.generate.settings import Settings
from numlstm.tasks.generate.texts import Text, read_text
from numlstm.tasks.generate.vocabulary import Vocabulary

__all__ = ["Config", "describe", "versions"]

_FORMAT = 1


def describe(corpus: Corpus, settings: Settings) -> dict[str, Any]:
    """The content of config.json."""
    return {
        "format": _FORMAT,
        "task": "generate",
        "name": corpus.text.name,
        "encoding": corpus.text.encoding,
        "characters": len(corpus.text.content),
        "settings": asdict(settings),
        "vocabulary": corpus.vocabulary.to_dict(),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """The versions that a run notes."""
    return {"python": platform.python_version()} | {name: version(name) for name in ("numlstm", "numpy", "numba")}


@dataclass(frozen=True)
class Config:
    """The content of config.json."""

    name: str
    encoding: str
    characters: int
    settings: Settings
    vocabulary: Vocabulary
    versions: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Config:
        """Read and check the file.

        Raises:
            OSError, ValueError: the folder is not a run folder, or the file is damaged.
        """
        config = read_config(folder)
        try:
            if config["format"] != _FORMAT:
                raise ValueError(f"its format is {quoted(config['format'])}, this version reads {_FORMAT}")
            settings = Settings(**config["settings"])
            vocabulary = Vocabulary.from_dict(config["vocabulary"])
            if vocabulary.level != settings.level:
                raise ValueError("its vocabulary has another level than its settings")
            name, encoding = config["name"], config["encoding"]
            for text in (name, encoding):
                if not isinstance(text, str):
                    raise ValueError(f"a name must be a string, not {quoted(text)}")
            found = {str(key): str(value) for key, value in config["versions"].items()}
            return cls(name, encoding, config["characters"], settings, vocabulary, found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else error
            raise ValueError(plain(f"{folder / 'config.json'} is damaged: {reason}")) from error

    def text(self, path: Path) -> Text:
        """Read text.txt; ValueError if it has another length."""
        content = read_text(path).content
        if len(content) != self.characters:
            raise ValueError(
                f"{path} has {len(content)} characters, but config.json tells of {quoted(self.characters)}"
            )
        return Text(self.name, content, self.encoding)
