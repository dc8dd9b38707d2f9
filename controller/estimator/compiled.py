"""The typed door to the compiler: numba with a cache on disk, without the interpreter's lock and without threads of its own.

Compiled code raises nothing and allocates little; whoever calls it checks its flags. ``contract`` (fused multiply and add) is the only
liberty taken with IEEE arithmetic: NaN and infinity keep their meaning. The compiler's cache looks at a function's own file only, but
callees are compiled into their callers: therefore every digest of the sources has a cache directory of its own.
"""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A", bound=NDArray[Any])

_CONFIG: Any = numba.config
_USES: Final = b"from controller.estimator.compiled import"
_LAYOUT: Final = "member.py"  # of what compiled code works on


def sources() -> tuple[Path, ...]:
    """Return the files that compiled code is made from: this one, all of its package that use it, and the layout of their numbers."""
    folder = Path(__file__).parent
    return (Path(__file__), *(path for path in sorted(folder.glob("*.py")) if path.name == _LAYOUT or _USES in path.read_bytes()))


def cache_folder(files: tuple[Path, ...]) -> Path | None:
    """Return where the code compiled from ``files`` is kept: below NUMBA_CACHE_DIR, beside the sources, or in the user's cache.

    None when this user may write none of them (a service account at the command line): what he uses is then compiled each time.
    """
    digest = sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]
    if _CONFIG.CACHE_DIR:
        return Path(_CONFIG.CACHE_DIR) / digest
    home = Path(os.path.expanduser("~"))  # as it stands when nobody knows the user; pathlib's raises
    for folder in (Path(__file__).parent / "__pycache__", home / ".cache" / "ovenctl"):
        if folder.is_absolute() and _writable(folder):
            return folder / digest
    return None


def _writable(folder: Path) -> bool:
    """Return whether this user may write to ``folder``, or make it; where he may not even look, he may not."""
    for there in (folder, *folder.parents):
        try:
            there.stat()
        except FileNotFoundError:
            continue
        except OSError:
            return False
        return os.access(there, os.W_OK)
    return False


_FOLDER: Final = cache_folder(sources())
_dispatchers: list[Any] = []


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` compiled at its first call, or loaded from the cache beside its source."""
    return _compile(function, "never")


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Return ``function`` for use inside compiled code; it becomes part of its callers."""
    return _compile(function, "always")


def _compile(function: Callable[P, R], inline: str) -> Callable[P, R]:
    usual, _CONFIG.CACHE_DIR = _CONFIG.CACHE_DIR, str(_FOLDER or "")  # read when the decorator makes the function's cache
    how: dict[str, Any] = {"cache": _FOLDER is not None, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
    try:
        dispatcher: Any = njit(**how, forceinline=inline == "always")(function)
    finally:
        _CONFIG.CACHE_DIR = usual
    _dispatchers.append(dispatcher)
    return cast(Callable[P, R], dispatcher)


def variants() -> int:
    """Return how many variants of compiled functions are in memory; a larger number later means that something was compiled or loaded."""
    return sum(len(dispatcher.signatures) for dispatcher in _dispatchers)


@intrinsic
def _power_of_two(typing: Any, shifted: Any) -> Any:
    """Return 2^k for a float that holds k in its lowest bits (k + 1.5 * 2^52)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        bits = builder.bitcast(arguments[0], word)
        exponent = builder.add(builder.shl(bits, ir.Constant(word, 52)), ir.Constant(word, 1023 << 52))
        return builder.bitcast(exponent, ir.DoubleType())

    return types.float64(types.float64), generate


power_of_two = cast(Callable[[float], float], _power_of_two)


@intrinsic
def _borrowed(typing: Any, array: Any) -> Any:
    """Return ``array`` without an owner."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.make_array(array)(context, builder, value=arguments[0])
        found.meminfo = ir.Constant(found.meminfo.type, None)
        return found._getvalue()

    return array(array), generate


borrowed = cast(Callable[[A], A], _borrowed)
"""Return the same array without an owner, for compiled code whose caller keeps it alive: parts cut out of it count no references.

Counting them is two atomic operations a part, a third of the time that the solver took.
"""
