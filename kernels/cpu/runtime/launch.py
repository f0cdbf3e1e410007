"""How kernels are compiled, cached and spread over threads.

Each kernel has one signature per dtype, written where it is defined. So no input, whatever its strides, size or flags,
can make numba compile a second machine code, and a whole job compiles each kernel once. For the same reason, threads
(`threads.py`) share a kernel through the address of its machine code. numba's own parallel loops would compile it twice
more.
"""

import functools
import hashlib
import os
from types import FunctionType

import llvmlite.binding as llvm
import numba
import numpy as np
from numba import njit, types
from numba.core import cgutils, event
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typed_passes import NopythonRewrites
from numba.np.ufunc import parallel

from numlstm.kernels import DeviceError, forks
from numlstm.kernels.cpu.runtime import cache, checked, interrupts, threads
from numlstm.kernels.replay import call, recording

if numba.config.DISABLE_JIT:
    raise DeviceError("the kernels need numba's compiler, which NUMBA_DISABLE_JIT turns off: unset it")

_WORK_PER_THREAD = 400_000  # With fewer floating-point operations, a second thread costs more than it saves.


class _Compiler(Compiler):
    """numba's compiler without its search for whole-array expressions. It takes 4 % of the time; kernels have none."""

    def define_pipelines(self):
        pipelines = super().define_pipelines()
        for pipeline in pipelines:
            pipeline.passes = [each for each in pipeline.passes if each[0] is not NopythonRewrites]
            pipeline.finalize()
        return pipelines


_FLAGS = {
    "pipeline_class": _Compiler,
    "nogil": True,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,
    # Kernels allocate no arrays, and the caller holds the arrays that they get, so loops need no reference counts.
    "_nrt": False,
    # Of numba's fast maths, only fused multiply-add is allowed: NaN and infinity keep their meaning.
    "fastmath": {"contract"},
    "boundscheck": checked.BOUNDS,
}

_lock = forks.lock()
forks.complete(global_compiler_lock, parallel._backend_init_thread_lock, llvm.ffi.lib._lock)

_listener = None


def on_compile(listener):
    """Set the listener that is called when a kernel is compiled."""
    global _listener
    _listener = listener


class _Announcer(event.Listener):
    """Forwards numba's compile events of one dispatcher. A cache hit raises none."""

    def __init__(self, dispatcher, name):
        self._dispatcher, self._name = dispatcher, name

    def on_start(self, event):
        if event.data["dispatcher"] is self._dispatcher and _listener is not None:
            _listener(self._name, True)

    def on_end(self, event):
        if event.data["dispatcher"] is self._dispatcher and _listener is not None:
            _listener(self._name, False)


def _make_dispatcher(function, signature, name):
    dispatcher = njit(**_FLAGS)(function)
    if cache.folder() is not None:
        dispatcher._cache = cache.KernelCache(function, signature)  # `cache=True` would set numba's own cache here.
    with event.install_listener("numba:compile", _Announcer(dispatcher, name)), interrupts.deferred():
        try:
            dispatcher.compile(signature)
        except OSError:
            # The kernel is compiled; only the cache cannot be written. The next process compiles it again.
            if not dispatcher.overloads:
                raise
    dispatcher.disable_compile()
    return dispatcher


def _address(dispatcher):
    (compiled,) = dispatcher.overloads.values()
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _callable(dispatcher):
    """Return the caller of a dispatcher's only machine code. The dispatcher takes a microsecond to compare types."""
    if checked.TYPES:
        return dispatcher
    (compiled,) = dispatcher.overloads.values()
    return compiled.entry_point


class Kernel:
    """A function that is compiled when a dtype, or its name, is first asked for: `kernel["float32"](...)`.

    A kernel whose last two parameters are (chunk, chunks) can be shared by threads: a call does that part of the work.
    """

    def __init__(self, function, signature, uses, name=None):
        self._function, self._signature, self._uses = function, signature.split(), uses
        self.name = name or function.__name__.strip("_")
        self._compiled = {}
        self._callable = {}
        self._shared = {}
        self._stepped = {}
        self._paired = {}

    @property
    def shareable(self):
        """Whether the kernel takes (chunk, chunks)."""
        code = self._function.__code__
        return code.co_varnames[: code.co_argcount][-2:] == ("chunk", "chunks")

    def __getitem__(self, dtype):
        # The dtype of an array is an object. Its name is slow to get, so the object is a key too.
        run = self._callable.get(dtype) or self._callable.setdefault(dtype, _callable(self._compile(dtype)))
        return run if recording.current is None else functools.partial(call, run)

    def _compile(self, dtype):
        name = np.dtype(dtype).name
        with _lock:
            if name not in self._compiled:
                for used in self._uses:
                    used.link(name)
                self._compiled[name] = _make_dispatcher(self._function, self._types(name), self.name)
        return self._compiled[name]

    def with_options(self, options):
        """Return the same function as another kernel, which takes a tuple of options where this one takes None.

        From this kernel, numba removes the code that runs only with options.

        options: the types of the tuple's members, as for `kernel`
        """
        signature = " ".join(f"({options.replace(' ', ',')})" if word == "none" else word for word in self._signature)
        return Kernel(self._function, signature, self._uses, f"{self.name}, with options")

    def specialize(self, name, uses=(), **values):
        """Return a kernel that runs the same function with other values of some of its globals.

        So a loop is written once and compiled for each function that it calls. All other globals that the loop uses
        must be defined before.

        name: an identifier, which the kernel's name ends with. It must stand for these values only
        uses: kernels that the bound functions link to, beside this kernel's own
        values: the new value of each global: a compiled function or a constant number

        Raises:
            ValueError: If the function uses no such global, or if `name` stands for other values.
        """
        function = _specialized_once(self._function, name, values, lambda copy: copy)
        return Kernel(function, " ".join(self._signature), (*self._uses, *uses), f"{self.name}, {name}")

    def used(self, values):
        """Return those of `values` whose names are globals of the kernel's function."""
        return _used(self._function, values)

    def _types(self, dtype):
        return tuple(_numba_type(word, dtype) for word in self._signature)

    def share(self, dtype, chunks, *arguments):
        """Call the kernel once for each of `chunks` chunks, which threads share."""
        if chunks == 1:
            self[dtype](*arguments, 0, 1)
        else:
            fork_join, address = self._shared.get(dtype) or self._prepare_sharing(dtype)
            call(fork_join, _thread_words(), address, chunks, arguments)

    def share_steps(self, dtype, chunks, steps, *arguments):
        """Call the kernel as `share` does, for one step after the other.

        steps: a range of t
        arguments: the arguments before (t, t + 1, True), which are followed by (chunk, chunks)
        """
        fork_joins = self._stepped.get(dtype) or self.prepare_steps(dtype)
        _, address = self._shared[dtype]
        call(fork_joins, _thread_words(), address, chunks, steps.start, steps.stop, steps.step, arguments)

    def share_pair(self, dtype, chunks, first, second):
        """Call the kernel for two tuples of arguments, with `chunks` chunks each. Threads share all of them."""
        fork_join = self._paired.get(dtype) or self.prepare_pair(dtype)
        call(fork_join, _thread_words(), self._shared[dtype][1], chunks, first, second)

    def partial(self, dtype, chunks, *arguments):
        """Return a function without parameters that calls `share` with these arguments."""
        if chunks == 1:
            return functools.partial(self[dtype], *arguments, 0, 1)
        return functools.partial(self.share, dtype, chunks, *arguments)

    def _prepare_sharing(self, dtype):
        with _lock:
            if dtype not in self._shared:
                _thread_words()
                address = _address(self._compile(dtype))
                signature = (types.int64[::1], types.intp, types.intp, self._arguments(dtype))
                fork_join = _make_dispatcher(threads.fork_join, signature, f"{self.name} on threads")
                self._shared[dtype] = _callable(fork_join), address
        return self._shared[dtype]

    def prepare_steps(self, dtype):
        """Compile the code by which threads share the kernel step by step, or load it from the cache."""
        self._prepare_sharing(dtype)
        with _lock:
            if dtype not in self._stepped:
                arguments = types.Tuple(self._types(np.dtype(dtype).name)[:-5])
                signature = (types.int64[::1], *[types.intp] * 5, arguments)
                fork_joins = _make_dispatcher(
                    threads.fork_join_steps, signature, f"{self.name} on threads, step by step"
                )
                self._stepped[dtype] = _callable(fork_joins)
        return self._stepped[dtype]

    def prepare_pair(self, dtype):
        """Compile the code by which threads share the kernel in pairs, or load it from the cache."""
        self._prepare_sharing(dtype)
        with _lock:
            if dtype not in self._paired:
                signature = (types.int64[::1], types.intp, types.intp, *[self._arguments(dtype)] * 2)
                fork_join = _make_dispatcher(threads.fork_join_pair, signature, f"{self.name}, a pair on threads")
                self._paired[dtype] = _callable(fork_join)
        return self._paired[dtype]

    def _arguments(self, dtype):
        return types.Tuple(self._types(np.dtype(dtype).name)[:-2])

    def is_compiled(self, dtype):
        """Whether the machine code is in this process, or in the cache."""
        name = np.dtype(dtype).name
        return name in self._compiled or cache.has(self._function, self._types(name))

    def prepare(self, dtype, shared):
        """Compile the kernel or load it from the cache; with `shared`, also the code by which threads share it."""
        if shared:
            self._prepare_sharing(dtype)
        else:
            self._compile(dtype)

    def link(self, dtype):
        """Make the kernel callable from other kernels as `symbol(dtype)`, without compiling it into them."""
        llvm.add_symbol(self.symbol(dtype), _address(self._compile(dtype)))

    def symbol(self, dtype):
        """The name by which other kernels link to this one."""
        return f"numlstm{self._function.__name__}_{dtype}"

    def emit_call(self, context, builder, dtype, arguments):
        """Emit a call of the linked kernel."""
        signature = self._types(dtype)
        function_type = context.call_conv.get_function_type(types.void, signature)
        function = cgutils.get_or_insert_function(builder.module, function_type, self.symbol(dtype))
        status, _ = context.call_conv.call_function(builder, function, types.void, signature, arguments)
        checked.emit_status(context, builder, status, ends=False)


def specialize(function, name, **values):
    """Like `Kernel.specialize`, for a function that is compiled into kernels: `@njit(inline="always")`."""
    return _specialized_once(function.py_func, name, values, njit(inline="always"))


_specialized = {}  # By (module, name) of a specialized function: its original, its values and what was made of it.


def _specialized_once(function, name, values, make):
    """Make something of a function with other globals, or return what was made of it before: a name is used once."""
    key = function.__module__, f"{function.__name__}_{name}"
    if key not in _specialized:
        _specialized[key] = function, values, make(_with_globals(function, name, values))
    original, bound, made = _specialized[key]
    if original is not function or bound != values:
        raise ValueError(f"{key[1]} already stands for other values: choose another name")
    return made


def _with_globals(function, name, values):
    """Copy a function and change some of the copy's globals.

    The cache finds machine code by qualified name, which does not contain the values of globals: that of the copy does.
    (With closures, or with types that stand for functions, each process would miss the cache.)
    """
    unknown = sorted(values.keys() - set(function.__code__.co_names))
    if unknown:
        raise ValueError(f"{function.__name__} uses no global named {', '.join(unknown)}")
    described = ", ".join(f"{key}={_describe(value)}" for key, value in sorted(values.items()))
    copy = FunctionType(
        function.__code__, function.__globals__ | values, f"{function.__name__}_{name}", closure=function.__closure__
    )
    copy.__qualname__ = f"{function.__qualname__}_{name}_{hashlib.sha256(described.encode()).hexdigest()[:8]}"
    return copy


def _used(function, values):
    return {name: value for name, value in values.items() if name in function.__code__.co_names}


def _describe(value):
    """Return a text that distinguishes a value from others and is the same in every process."""
    return f"{value.__module__}.{value.__qualname__}" if callable(value) else repr(value)


def kernel(signature, uses=()):
    """Make a function a `Kernel`.

    signature: the types of its parameters, a word each: `int`, `float`, `bool`, `real` (a number of the kernel's
        dtype), `pointer` (to such numbers), `none` (see `Kernel.with_options`), or an array as element, dimensions and
        layout, such as `real3C`. The layouts: C contiguous, A any strides; K and R are C and A
        of arrays that are never written.
    uses: the kernels that it links to
    """
    return lambda function: Kernel(function, signature, uses)


def runs(*kernels):
    """Declare the kernels that a function runs, as its `kernels_used`. `prepare` compiles them ahead."""

    def declare(function):
        function.kernels_used = kernels
        return function

    return declare


def _numba_type(word, dtype):
    real = getattr(types, dtype)
    scalars = {"int": types.int64, "float": types.float64, "bool": types.boolean, "real": real}
    if word == "pointer":
        return types.CPointer(real)
    if word == "none":
        return types.none
    if word[0] == "(":
        return types.Tuple([_numba_type(member, dtype) for member in word[1:-1].split(",")])
    if word in scalars:
        return scalars[word]
    element, dimensions, layout = scalars[word[:-2]], int(word[-2]), word[-1]
    return types.Array(element, dimensions, {"R": "A", "K": "C"}.get(layout, layout), readonly=layout in "RK")


def threads_for(work, parts):
    """Return how many threads share `work` floating-point operations that fall into independent parts."""
    if work < 2 * _WORK_PER_THREAD or parts < 2:
        return 1
    return max(1, min(_thread_count(), parts, int(work // _WORK_PER_THREAD)))


def _thread_count():
    """The result of `numba.get_num_threads()`, which takes two locks: too slow for every call of a kernel."""
    count = getattr(parallel, "_get_num_threads", None)
    return count() if count is not None else numba.get_num_threads()


@njit(inline="always")
def part_of(total, chunk, chunks):
    """The range [begin, end) of `total` parts that belongs to a chunk."""
    return total * chunk // chunks, total * (chunk + 1) // chunks


# Threads


_threads = None


def _thread_words():
    """Return the words that the threads of this process share. The first call starts the threads."""
    global _threads
    if _threads is None:
        with _lock:
            if _threads is None:
                _threads = threads.Threads(_make_dispatcher(threads.serve, (types.int64[::1], types.intp), "threads"))
    return _threads.words


def _forget_listener():
    on_compile(None)  # It reports to the parent's user.


def _forget_threads():
    global _threads
    _threads = None


def _forget_process_lock():
    # numba's lock is a semaphore of all forked processes, and each process has its own count of who holds it. A child
    # that is forked while a thread holds it counts that for ever, and never releases it: all processes would hang. So
    # would the parent of a child that is killed meanwhile. numba makes another for the child.
    parallel._backend_init_process_lock = None


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=_forget_listener)
    os.register_at_fork(after_in_child=_forget_threads)  # A forked child has no threads of its parent.
    os.register_at_fork(after_in_child=_forget_process_lock)
