"""Scheduled sampling of the translate task: which tokens are replaced, by which, and when."""

from types import SimpleNamespace

import numpy as np
from tiny_translator import log_p, tiny

from numlstm.tasks.translate.batches import Batches, ScheduledSampling
from numlstm.tasks.translate.vocabulary import BEGIN, END


def sampled(translator, pairs, most, steps, step):
    """The batch of a step, and the same one without scheduled sampling."""
    sources, targets = translator.source.numbers(pairs[0]), translator.target.numbers(pairs[1])
    batches, ask = Batches(sources, targets, len(sources), 0), translator.model.predict_on_batch
    at_step = SimpleNamespace(optimizer=SimpleNamespace(iterations=step), predict_on_batch=ask)
    return ScheduledSampling(batches, at_step, most, steps, 5)[0], batches[0]


def test_each_token_but_the_begin_is_replaced_by_the_likeliest_one_after_true_ones():
    translator = tiny("abcde", 6)
    texts = ["x", "yz", "zzxy"], ["abc", "deca", "b"]
    (([sources, own], targets), ([same, said], true)) = sampled(translator, texts, 1.0, 11, 10)
    np.testing.assert_array_equal(sources, same)
    np.testing.assert_array_equal(targets, true)
    for source, row, changed in zip(sources, said, own, strict=True):
        text = translator.source.text([number for number in source if number > END])
        read = [number for number in row if number]
        assert changed[0] == BEGIN
        assert not changed[len(read) :].any()
        for place in range(1, len(read)):
            likely = log_p(translator, text, read[1:place])
            likely[END] = -np.inf
            assert changed[place] == likely.argmax()


def test_the_share_of_replaced_tokens_grows_evenly_from_none():
    translator = tiny("abcde", 20)
    random = np.random.default_rng(0)
    texts = ["xy"] * 400, ["".join(random.choice(list("abcde"), 20)) for _ in range(400)]
    ([_, all_own], _), _ = sampled(translator, texts, 1.0, 11, 10)
    places = []
    for step in (0, 5, 10):
        ([_, own], _), ([_, said], _) = sampled(translator, texts, 0.5, 11, step)
        places.append((own == all_own)[said != all_own])
        np.testing.assert_array_equal(own[own != all_own], said[own != all_own])
    np.testing.assert_allclose([each.mean() for each in places], [0, 0.25, 0.5], atol=0.02)
    assert (places[1] & ~places[2]).any()  # Each step draws others.
    ([_, again], _), _ = sampled(translator, texts, 0.5, 11, 10)
    np.testing.assert_array_equal(again, own)


def test_a_step_reads_what_the_weights_before_it_say():
    texts = ["x", "yz", "zzxy", "y", "xx", "zy"], ["abc", "deca", "b", "aa", "eb", "cad"]
    fitted, by_hand = tiny("abcde", 6), tiny("abcde", 6)
    numbers = [part.numbers(given) for part, given in zip((fitted.source, fitted.target), texts, strict=True)]
    batches = Batches(*numbers, 2, 0)
    fitted.model.fit(ScheduledSampling(batches, fitted.model, 0.8, 9, 0), epochs=3, shuffle=False, verbose=0)
    replaced = 0
    for _ in range(3):
        for number in range(3):
            x, y = ScheduledSampling(batches, by_hand.model, 0.8, 9, 0)[number]
            replaced += int((x[1] != batches[number][0][1]).sum())
            by_hand.model.train_on_batch(x, y)
    assert replaced > 5
    for one, other in zip(fitted.model.get_weights(), by_hand.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
