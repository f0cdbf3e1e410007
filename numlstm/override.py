"""`typing.override`, which Python has since version 3.12."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["override"]

if sys.version_info >= (3, 12):
    from typing import override
else:
    _Method = TypeVar("_Method", bound=Callable[..., Any])

    def override(method: _Method, /) -> _Method:
        """Mark a method that overrides a method of a base class. The base class documents it."""
        return method
