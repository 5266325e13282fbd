"""What the kernels share: array types for explicit signatures, the decorator, and one bit trick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable


def readonly(scalar: Any, dimensions: int) -> Any:
    """Type of a C-contiguous input array; numba passes writable arrays to it as well."""
    return types.Array(scalar, dimensions, "C", readonly=True)


def writable(scalar: Any, dimensions: int) -> Any:
    """Type of a C-contiguous array that a kernel fills."""
    return types.Array(scalar, dimensions, "C")


def several(*items: Any) -> Any:
    """Type of a tuple."""
    return types.Tuple(items)  # type: ignore[no-untyped-call]


def kernel(*signatures: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function without the interpreter lock and cache it on disk.

    Signatures are explicit so that one import compiles each kernel exactly once, for read-only input too. Helpers have
    none and are compiled as their callers need them, as are kernels for several pixel types: whoever calls these passes
    arrays through ``numpy.require(array, requirements=("C", "W"))``, so that each pixel type compiles once.
    """
    decorator: Callable[[Callable[..., Any]], Any] = (
        njit(list(signatures), nogil=True, cache=True) if signatures else njit(nogil=True, cache=True)
    )
    return decorator


def _count_trailing_zeros(_typing: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, 0))

    return types.uint64(value), generate


trailing_zeros: Any = intrinsic(_count_trailing_zeros)
"""Count the zero bits below the lowest set bit of an uint64 (64 for zero) in one instruction."""
