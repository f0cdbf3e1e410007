"""The types of a kernel's parameters: words, and groups of them.

A word is `int`, `float`, or a pointer to ints, floats, bools or numbers of the kernel's dtype: `int*`, `float*`,
`bool*`, `real*`. A group is a `NamedTuple` of parameters that belong together. Its fields are annotated by `Int`,
`Ints`, `Bools`, `Floats`, `Reals` or another group. Kernels read the fields by name.
"""

from typing import Annotated, Any, get_type_hints

Int = Annotated[Any, "int"]
Ints = Annotated[Any, "int*"]
Bools = Annotated[Any, "bool*"]
Floats = Annotated[Any, "float*"]
Reals = Annotated[Any, "real*"]


def parameters_of(signature):
    """Return the words and groups of a signature in order. A signature has groups, and strings of words."""
    return [parameter for part in signature for parameter in (part.split() if isinstance(part, str) else [part])]


def _types_of(group):
    """Return the types of a group's fields."""
    hints = get_type_hints(group, include_extras=True)
    return [getattr(hints[field], "__metadata__", (hints[field],))[0] for field in group._fields]


def words_of(parameter):
    """Return the words of a parameter."""
    if isinstance(parameter, str):
        return [parameter]
    return [word for field in _types_of(parameter) for word in words_of(field)]


def numba_type(parameter, dtype):
    """Return the numba type of a word or group, for kernels of this dtype."""
    from numba.cuda import types

    if not isinstance(parameter, str):
        return types.NamedTuple([numba_type(field, dtype) for field in _types_of(parameter)], parameter)
    names = {"int": types.int64, "float": types.float64, "bool": types.uint8, "real": getattr(types, dtype)}
    return types.CPointer(names[parameter[:-1]]) if parameter.endswith("*") else names[parameter]
