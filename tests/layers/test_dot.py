"""Dot, called by hand."""

from __future__ import annotations

import numpy as np
import pytest
from test_merging import check_gradients, draw

from numlstm.layers import Dot

CASES = [
    (1, [(3, 5), (3, 5)], "bk,bk->b"),
    (-1, [(2, 3, 5), (2, 7, 5)], "bmk,bnk->bmn"),
    (1, [(2, 5, 3), (2, 5, 7)], "bkm,bkn->bmn"),
    ((2, 1), [(2, 3, 5), (2, 5, 7)], "bmk,bkn->bmn"),
    ([1, -1], [(2, 5, 3), (2, 7, 5)], "bkm,bnk->bmn"),
    ((1, 2), [(3, 5), (3, 4, 5)], "bk,bnk->bn"),
    ((1, 1), [(3, 5, 4), (3, 5)], "bkm,bk->bm"),
    (-1, [(1, 1, 1), (1, 1, 1)], "bmk,bnk->bmn"),
    (-1, [(0, 3, 5), (0, 7, 5)], "bmk,bnk->bmn"),
    (-1, [(2, 3, 0), (2, 7, 0)], "bmk,bnk->bmn"),
]


@pytest.mark.parametrize(("axes", "shapes", "sum_of"), CASES, ids=str)
def test_products(axes, shapes, sum_of):
    arrays, layer = draw(*shapes), Dot(axes, dtype="float64")
    y, expected = layer(arrays), np.einsum(sum_of, *arrays)
    expected = expected[:, None] if expected.ndim == 1 else expected
    assert y.shape == expected.shape == layer.compute_output_shape(tuple(shapes))
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-13)
    check_gradients(layer, arrays)
    assert Dot.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (-1, [(2, 3, 5), (2, 7, 4)]),
        (-1, [(2, 3, 5), (3, 3, 5)]),
        (-1, [(2, 5)] * 3),
        (0, [(2, 5), (2, 5)]),
        (2, [(2, 5), (2, 5)]),
        (-1, [(2, 3, 4, 5), (2, 5)]),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit(axes, shapes):
    with pytest.raises(ValueError, match="sums the products of two arrays"):
        Dot(axes)([np.zeros(shape) for shape in shapes])


def test_arguments_that_do_not_fit():
    with pytest.raises(ValueError, match="a pair with an axis for each array"):
        Dot((1, 2, 1))
    with pytest.raises(TypeError, match="axes must be an integer"):
        Dot("last")
    with pytest.raises(ValueError, match="does not support normalize=True: divide the inputs"):
        Dot(1, normalize=True)
