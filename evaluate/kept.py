"""Values that are computed once and kept, unless they are of very many items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar, overload

_T = TypeVar("_T")


class Owner(Protocol):
    """What has kept values."""

    @property
    def many(self) -> bool:
        """Whether memory is worth more here than time."""


class kept(Generic[_T]):  # noqa: N801  named as cached_property is
    """A property like `functools.cached_property`; where its owner says ``many`` it is computed anew each time."""

    def __init__(self, compute: Callable[[Any], _T]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name under which values are kept."""
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> kept[_T]: ...
    @overload
    def __get__(self, instance: Owner, owner: type) -> _T: ...
    def __get__(self, instance: Owner | None, owner: type) -> kept[_T] | _T:
        """Return the value; one that is kept hides this property in the instance."""
        if instance is None:
            return self
        value = self.compute(instance)
        if not instance.many:
            instance.__dict__[self.name] = value
        return value
