"""Random graphs of all layers, in float64."""

from __future__ import annotations

import numpy as np
from differences import model_outputs
from test_random_stacks import MERGES, SMOOTH, recurrent

from numlstm import Input, Model, set_seed
from numlstm.layers import (
    LSTM,
    Activation,
    Add,
    AdditiveAttention,
    Attention,
    Average,
    Bidirectional,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    LayerNormalization,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    RepeatVector,
    Subtract,
    TimeDistributed,
)

NUMBERS = {"dtype": "float64"}
WORDS = 6


class Graph:
    """Grows a graph from random layers.

    `known` has a symbol for each array that layers may read, and the shape of the array.
    """

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.batch = int(self.random.integers(1, 5))
        self.steps = int(self.random.integers(1, 5))
        self.open = self.chance(0.5)
        self.holes_anywhere = self.chance(0.3)
        """Attention has no exact gradient where all keys are masked. Without attention, any step may be."""
        self.masked = False
        self.data = {}
        self.known = {}
        self.used = []
        self.add_input(self.choice(["numbers", "ids", "masked", "nested"]))
        if self.chance(0.5):
            self.add_input(self.choice(["numbers", "ids", "vector"]))

    def chance(self, probability):
        return bool(self.random.random() < probability)

    def choice(self, options):
        return options[int(self.random.integers(len(options)))]

    def size(self):
        return int(self.random.integers(1, 5))

    def add_input(self, kind):
        random, B, T, F = self.random, self.batch, self.steps, self.size()
        steps = None if self.open else T
        holes = random.random((B, T)) < 0.3
        holes[:, [0, -1]] &= self.holes_anywhere  # Some layers read backwards.
        if kind == "ids":
            given = self.input((steps,), np.where(holes, 0, random.integers(1, WORDS, (B, T))))
            masks = self.chance(0.7)
            self.masked |= masks
            self.use(Embedding(WORDS, F, "random_normal", mask_zero=masks, **NUMBERS), given, (B, T, F))
        elif kind == "nested":
            given = self.input((steps, 2, F), random.normal(size=(B, T, 2, F)))
            units = self.size()
            self.use(TimeDistributed(LSTM(units, bias_initializer="random_normal", **NUMBERS)), given, (B, T, units))
        elif kind == "vector":
            self.known[self.input((F,), random.normal(size=(B, F)))] = (B, F)
        else:
            x = random.normal(size=(B, T, F))
            value = float(self.choice([0.0, -1.0]))
            if kind == "masked":
                x[holes] = value
            given = self.input((steps, F), x)
            self.known[given] = (B, T, F)
            if kind == "masked":
                self.masked = True
                self.use(Masking(value, **NUMBERS), given, (B, T, F))

    def input(self, shape, values):
        given = Input(shape)
        self.data[given] = values
        return given

    def use(self, layer, read, *shapes, **options):
        """Call a layer, and know what it returns: the shapes are those of the arrays."""
        outputs = layer(read, **options)
        for output, shape in zip(outputs if isinstance(outputs, list) else [outputs], shapes, strict=True):
            if output.shape[-1] is not None:  # It is if attention scores have a row of any length.
                self.known[output] = shape

    def find(self, fits):
        """A random array whose shape fits; None if there is none."""
        found = [symbol for symbol, shape in self.known.items() if fits(shape)]
        return self.choice(found) if found else None

    def grow(self):
        """Call one more layer, or one of the layers once more."""
        grown = self.choice([self.dense, self.recurrent, self.recurrent, self.merge, self.attend, self.other])
        grown()

    def layer_for(self, shape, make):
        """A layer of this graph that has been called with such an array, or a new one."""
        again = [layer for layer, features in self.used if features == (make.__name__, shape[-1], len(shape))]
        layer = self.choice(again) if again and self.chance(0.5) else make()
        self.used.append((layer, (make.__name__, shape[-1], len(shape))))
        return layer

    def dense(self):
        symbol = self.find(lambda shape: True)
        shape = self.known[symbol]

        def make_dense():
            layer = Dense(self.size(), self.choice(SMOOTH), bias_initializer="random_normal", **NUMBERS)
            return TimeDistributed(layer) if len(shape) == 3 and self.chance(0.3) else layer

        layer = self.layer_for(shape, make_dense)
        units = (layer.layer if isinstance(layer, TimeDistributed) else layer).units
        self.use(layer, symbol, (*shape[:-1], units))

    def recurrent(self):
        symbol = self.find(lambda shape: len(shape) == 3)
        if symbol is None:
            return
        B, T, _ = shape = self.known[symbol]

        def make_recurrent():
            layer = recurrent(self.random, self.chance(0.6), return_state=self.chance(0.4))
            if self.chance(0.3):
                layer.go_backwards = False
                return Bidirectional(layer, merge_mode=self.choice([*MERGES, None]))
            return layer

        layer = self.layer_for(shape, make_recurrent)
        double = isinstance(layer, Bidirectional)
        one = layer.forward_layer if double else layer
        units, parts = one.units, len(one.state_letters)
        features = 2 * units if double and layer.merge_mode == "concat" else units
        y = (B, T, features) if one.return_sequences else (B, features)
        several = 2 if double and layer.merge_mode is None else 1
        returned = [(B, units)] * (parts * (1 + double)) if one.return_state else []
        states = {}
        if self.chance(0.4):
            states = {"initial_state": [self.vector(units) for _ in range(parts * (1 + double))]}
        self.use(layer, symbol, *[y] * several, *returned, **states)

    def vector(self, units):
        """An array (B, units)."""
        found = self.find(lambda shape: shape == (self.batch, units))
        if found is None:
            found = self.find(lambda shape: len(shape) == 2)
            if found is None:
                found = self.input((units,), self.random.normal(size=(self.batch, units)))
                self.known[found] = (self.batch, units)
                return found
            layer = Dense(units, "tanh", bias_initializer="random_normal", **NUMBERS)
            self.use(layer, found, (self.batch, units))
            found = next(reversed(self.known))
        return found

    def merge(self):
        symbol = self.find(lambda shape: True)
        shape = self.known[symbol]
        if self.chance(0.4):
            axis = self.choice(range(1, len(shape)))
            other = self.find(
                lambda each: (
                    len(each) == len(shape) and np.delete(each, axis).tolist() == np.delete(shape, axis).tolist()
                )
            )
            joined = list(shape)
            joined[axis] += self.known[other][axis]
            self.use(
                Concatenate(axis if self.chance(0.5) else axis - len(shape), **NUMBERS), [symbol, other], tuple(joined)
            )
            return
        makes = [Add, Average, Multiply, Subtract]
        # A step that all masks leave out has no gradient in an extreme, whoever reads it.
        make = self.choice(makes if self.masked else [*makes, Maximum, Minimum])
        others = [self.find(lambda each: each == shape) for _ in range(1 if make is Subtract else self.choice([1, 2]))]
        self.use(make(**NUMBERS), [symbol, *others], shape)

    def attend(self):
        query = self.find(lambda shape: len(shape) == 3)
        if query is None or self.holes_anywhere:
            return
        B, Q, D = self.known[query]
        key = self.find(lambda shape: len(shape) == 3 and shape[2] == D)
        _, K, _ = self.known[key]
        value = self.find(lambda shape: len(shape) == 3 and shape[1] == K)
        N = self.known[value][2]
        options = {"use_causal_mask": self.chance(0.3), "return_attention_scores": self.chance(0.3)}
        if self.chance(0.7):
            layer = Attention(self.chance(0.5), self.choice(["dot", "concat"]), self.choice([0.0, 0.3]), 3, **NUMBERS)
        else:
            layer = AdditiveAttention(self.chance(0.5), self.choice([0.0, 0.3]), 3, **NUMBERS)
        read = [query, value, key]
        shapes = [(B, Q, N), (B, Q, K)]
        self.use(layer, read, *shapes[: 1 + options["return_attention_scores"]], **options)

    def other(self):
        symbol = self.find(lambda shape: True)
        B, *rest = shape = self.known[symbol]
        kind = self.choice(["activation", "dropout", "flatten", "repeat", "normalization", "dot"])
        if kind == "activation":
            self.use(Activation(self.choice([*SMOOTH, "softmax"]), **NUMBERS), symbol, shape)
        elif kind == "dropout":
            self.use(Dropout(0.4, seed=self.size(), **NUMBERS), symbol, shape)
        elif kind == "flatten" and None not in symbol.shape[1:]:
            self.use(Flatten(**NUMBERS), symbol, (B, int(np.prod(rest))))
        elif kind == "normalization":
            scales = {"gamma_initializer": "random_normal", "scale": self.chance(0.7)}
            self.use(LayerNormalization(epsilon=0.1, **scales, **NUMBERS), symbol, shape)
        elif kind == "dot":
            other = self.find(lambda each: each[-1] == shape[-1])
            features = (*rest[:-1], *self.known[other][1:-1]) or (1,)
            self.use(Dot(-1, **NUMBERS), [symbol, other], (B, *features))
        elif kind == "repeat" and len(rest) == 1:
            count = self.size()
            self.use(RepeatVector(count, **NUMBERS), symbol, (B, count, *rest))

    def model(self):
        """A model with one to three of the arrays as outputs, and its data."""
        if all(symbol.call is None for symbol in self.known):
            self.dense()
        computed = [symbol for symbol in self.known if symbol.call is not None]
        others = self.random.permutation(len(computed))[: self.random.integers(0, 3)]
        outputs = list(dict.fromkeys([computed[-1], *(computed[index] for index in others)]))
        needed, waiting = {}, list(outputs)
        while waiting:
            symbol = waiting.pop()
            if symbol.call is None:
                needed[symbol] = True
            else:
                waiting += [*symbol.call.inputs, *symbol.call.states]
        inputs = list(needed)
        return Model(inputs, outputs), [self.data[symbol] for symbol in inputs]


def graph(seed):
    """A random model, its inputs, and a generator for what else is random."""
    set_seed(seed)
    grown = Graph(seed)
    for _ in range(grown.random.integers(2, 9)):
        grown.grow()
    model, x = grown.model()
    assert [tuple(output.shape) for output in model_outputs(model, x)] == [grown.known[each] for each in model.outputs]
    return model, x, grown.random
