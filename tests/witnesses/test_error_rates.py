"""jiwer as a second opinion on error rates. The library does without it: it brings 12 MB for what takes ten lines."""

from __future__ import annotations

import numpy as np
import pytest
from witness import witness

from numlstm.tasks.transcribe.measure import measure

jiwer = witness("jiwer")


@pytest.mark.parametrize("seed", range(5))
def test_error_rates_are_those_of_jiwer(seed):
    random = np.random.default_rng(seed)

    def text(least):
        words = random.integers(least, 6)
        return " ".join("".join(random.choice(list("abé"), random.integers(1, 5))) for _ in range(words))

    for _ in range(40):
        texts, said = [text(1) for _ in range(5)], [text(0) for _ in range(5)]
        found = measure(texts, said)
        assert found["error_rate"] == pytest.approx(jiwer.cer(texts, said), abs=1e-12)
        assert found["word_error_rate"] == pytest.approx(jiwer.wer(texts, said), abs=1e-12)
