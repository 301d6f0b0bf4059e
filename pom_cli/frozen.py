"""`@dataclass(frozen=True)`, made many times as fast: most of a run is start-up, and dataclasses were a third of it.

The standard library writes and compiles six functions for each class; here a class gets an `__init__` alone, and that
with its first instance: in most runs half of the classes have none. The rest is the same for all. To the type checker,
to `replace` and to `fields` it is the standard library's own. That nothing assigns to a field is left to the type
checker, which sees every line that could.
"""

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(cls: Any = None, /, *, frozen: bool = False) -> Any:
        """As `dataclasses.dataclass`, with the one option that this house uses."""
        return _frozen if frozen else dataclasses.dataclass(cls)


def _frozen(cls: Any) -> Any:
    own = set(cls.__dict__)
    made = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False)(cls)
    fields = dataclasses.fields(made)
    compared = attrgetter("__class__", *(field.name for field in fields if field.compare))
    shown = [field.name for field in fields if field.repr]

    def first(self: Any, *values: Any, **named: Any) -> None:
        init = made.__init__ = _init(made)
        init(self, *values, **named)

    def represented(self: Any) -> str:
        return f"{cls.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def equal(self: Any, other: Any) -> bool:
        return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(compared(self))

    for name, method in {"__init__": first, "__repr__": represented, "__eq__": equal, "__hash__": hashed}.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _init(made: Any) -> Any:
    """Its real `__init__`: plain assignments, for which the annotations need not be compiled as well."""
    scope: dict[str, Any] = {"_MISSING": dataclasses.MISSING}
    heads, lines = ["self"], ["    pass"]
    for field in dataclasses.fields(made):
        name = value = field.name
        if field.default is not dataclasses.MISSING:
            scope[f"_{name}"] = field.default
            heads.append(f"{name}=_{name}")
        elif field.default_factory is not dataclasses.MISSING:
            scope[f"_{name}"] = field.default_factory
            heads.append(f"{name}=_MISSING")
            value = f"_{name}() if {name} is _MISSING else {name}"
        else:
            heads.append(name)
        lines.append(f"    self.{name} = {value}")
    # Nothing but the names of fields, which are in our own code, goes into it.
    exec(f"def __init__({', '.join(heads)}):\n" + "\n".join(lines), scope)  # noqa: S102
    init = scope["__init__"]
    init.__qualname__ = f"{made.__qualname__}.__init__"
    return init
