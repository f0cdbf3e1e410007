"""A translator without training, and what it says of the next token."""

from __future__ import annotations

import numpy as np

from numlstm import set_seed
from numlstm.tasks.translate import network
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.translator import Translator
from numlstm.tasks.translate.vocabulary import BEGIN, Vocabulary


def tiny(outputs="ab", longest=3):
    """A translator without training, whose outputs are not all alike."""
    set_seed(3)
    vocabularies = Vocabulary(tuple("xyz"), "char"), Vocabulary(tuple(outputs), "char")
    model = network.make_model(Settings(units=3, embedding=3), *(each.size for each in vocabularies), (4, longest))
    model.set_weights([3 * weight for weight in model.get_weights()])
    return Translator(model, *vocabularies, (4, longest))


def log_p(translator, source, said):
    """[V] log P of the token after others, by the whole model; what cannot be said has none."""
    x = np.array(translator.source.numbers([source]))
    logits = translator.model.predict([x, np.array([[BEGIN, *said]])], verbose=0)[0, -1].astype(float)
    logits[~translator.target.sayable()] = -np.inf
    return logits - np.log(np.exp(logits).sum())
