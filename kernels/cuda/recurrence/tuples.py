"""Tuples with one number for each slot or state of a cell, read and written by functions made for their length."""

import functools

from numlstm.kernels.cuda.runtime.launch import device_function


@functools.cache
def reader(count):
    """Return a function that reads `count` numbers of an array, `step` apart, as a tuple."""
    if count == 1:

        @device_function
        def read_one(array, at, step):
            return (array[at],)

        return read_one

    read_others, last = reader(count - 1), count - 1

    @device_function
    def read(array, at, step):
        return read_others(array, at, step) + (array[at + last * step],)  # noqa: RUF005  # numba has no other way.

    return read


@functools.cache
def writer(count):
    """Return a function that writes a tuple of `count` numbers to an array, `step` apart."""
    if count == 1:

        @device_function
        def write_one(array, at, step, values):
            array[at] = values[0]

        return write_one

    write_others, last = writer(count - 1), count - 1

    @device_function
    def write(array, at, step, values):
        write_others(array, at, step, values)
        array[at + last * step] = values[last]

    return write
